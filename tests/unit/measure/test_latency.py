"""The timing harness: right ratios, no hanging, nothing left behind. Structure, not absolute times."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from onnx import TensorProto, helper

import paredown.targets
from paredown._measure.timing.interleaved import TimingPlan
from paredown._measure.timing.latency import Timing, measure_latency
from paredown.errors import ModelError, OutOfMemory, TargetError, UsageError
from paredown.targets import Target, target

FEEDS = {"x": np.zeros((1, 4), np.float32)}
QUICK = TimingPlan(min_runs=6, min_seconds=0.05, min_rounds=4, turn_s=0.01, warmup_s=0.01, timeout_s=30)

STAND_IN = '''
"""A runtime whose model file holds one Python statement, executed at every inference."""
import os, sys, time
from paredown.model import TensorSpec
from paredown.runtimes.onnxruntime import build
MULTITHREADED = True

def version():
    return "1"

class Session:
    inputs = (TensorSpec("x", (1, 4), "float32"),)
    outputs = ()
    def __init__(self, statement):
        self.statement = statement
    def run(self, feeds):
        exec(self.statement, {"os": os, "sys": sys, "time": time})
        return {}

def open(artifact, **settings):
    return Session(artifact.files[0].read_text())
'''


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A target whose models are Python statements."""
    (tmp_path / "stand_in_runtime.py").write_text(STAND_IN)
    (tmp_path / "stand-in.toml").write_text('summary = "stand-in"\nruntime = "stand-in"\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(paredown.runtimes.RUNTIMES, "stand-in", "stand_in_runtime")
    return target(str(tmp_path / "stand-in.toml"))


def model(folder: Path, name: str, statement: str) -> Path:
    path = folder / name
    path.write_text(statement)
    return path


def values(timing: Timing) -> dict[str, float]:
    return {q.name: q.value for q in timing[0]}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def test_the_harness_itself_takes_microseconds(tiny: Path) -> None:
    found = values(measure_latency(tiny, tiny, target("null"), FEEDS, plan=QUICK))
    assert found["latency_s"] < 1e-4


def test_all_quantities_and_samples_are_kept(tiny: Path) -> None:
    quantities, curves, _ = measure_latency(tiny, tiny, target("local"), FEEDS, threads=1, plan=QUICK)
    found = {q.name: q for q in quantities}
    assert set(found) == {
        "latency_s",
        "latency_p90_s",
        "latency_p99_s",
        "float_latency_s",
        "latency_ratio",
        "cpu_percent",
        "peak_memory_bytes",
        "model_memory_bytes",
        "load_s",
    }
    latency, ratio = found["latency_s"], found["latency_ratio"]
    assert len(latency.samples) >= QUICK.min_runs
    assert len(ratio.samples) >= QUICK.min_rounds
    assert latency.value <= found["latency_p90_s"].value <= found["latency_p99_s"].value
    for quantity in (latency, found["float_latency_s"], ratio):
        assert quantity.low <= quantity.value <= quantity.high
    assert (latency.how, ratio.how) == ("measured", "derived")
    assert len(found["float_latency_s"].samples) == len(curves["baseline_latency_s"])
    assert found["peak_memory_bytes"].value > found["model_memory_bytes"].value > 0
    assert len(curves["memory_bytes"]) == len(curves["memory_time_s"]) == len(latency.samples)
    assert len(curves["baseline_memory_bytes"]) == len(curves["baseline_latency_s"])
    assert list(curves["memory_time_s"]) == sorted(curves["memory_time_s"])
    assert curves["memory_time_s"][0] >= 0


def test_the_ratio_is_the_ratio(tmp_path: Path, stand_in: Target) -> None:
    slow = model(tmp_path, "slow", "time.sleep(0.03)")
    fast = model(tmp_path, "fast", "time.sleep(0.01)")
    found = values(measure_latency(slow, fast, stand_in, FEEDS, plan=QUICK))
    assert found["latency_ratio"] == pytest.approx(3, rel=0.3)
    assert found["cpu_percent"] < 50  # it sleeps


def test_what_a_runtime_prints_does_not_disturb(tmp_path: Path, stand_in: Target) -> None:
    noisy = model(tmp_path, "noisy", "print('hello'); os.write(1, b'from C'); time.sleep(0.001)")
    assert values(measure_latency(noisy, noisy, stand_in, FEEDS, plan=QUICK))["latency_s"] > 0


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("raise OSError('the disk fell off')", "the disk fell off"),
        ("os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("sys.stderr.write('last words'); sys.stderr.flush(); os._exit(3)", "last words"),
    ],
)
def test_a_crash_is_an_error_with_its_last_words(
    tmp_path: Path, stand_in: Target, statement: str, text: str
) -> None:
    bad, good = model(tmp_path, "bad", statement), model(tmp_path, "good", "time.sleep(0.001)")
    with pytest.raises(TargetError, match=text):
        measure_latency(bad, good, stand_in, FEEDS, plan=QUICK)
    assert not children()


@pytest.mark.parametrize(
    "statement",
    [
        "os.kill(os.getpid(), 9)",  # as the system does
        "bytearray(1 << 60)",
        "sys.stderr.write('terminate called after throwing std::bad_alloc'); sys.stderr.flush(); os.abort()",
        "import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 29, -1)); [bytearray(1 << 28) for _ in 'abcd']",
    ],
)
def test_a_process_without_memory_says_so(tmp_path: Path, stand_in: Target, statement: str) -> None:
    bad, good = model(tmp_path, "bad", statement), model(tmp_path, "good", "time.sleep(0.001)")
    with pytest.raises(OutOfMemory, match="out of memory"):
        measure_latency(bad, good, stand_in, FEEDS, plan=QUICK)
    assert not children()


def test_a_model_that_hangs_is_given_up(tmp_path: Path, stand_in: Target) -> None:
    hangs = model(tmp_path, "hangs", "time.sleep(1000)")
    with pytest.raises(TargetError, match="did not answer within 2 s"):
        measure_latency(hangs, hangs, stand_in, FEEDS, plan=TimingPlan(timeout_s=2))
    assert not children()


def test_an_error_of_the_runtime_comes_through(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        measure_latency(broken, broken, target("local"), FEEDS, plan=QUICK)


def test_another_machine_is_not_timed(tiny: Path) -> None:
    elsewhere = target("raspberry-pi-zero-2")
    with pytest.raises(TargetError, match="cannot be measured on this machine"):
        measure_latency(tiny, tiny, elsewhere, FEEDS)
    with pytest.raises(UsageError, match="negative"):
        measure_latency(tiny, tiny, target("local"), FEEDS, threads=-1)


INTERRUPTED = """
import sys
from pathlib import Path
import numpy as np
import paredown.runtimes
from paredown._measure.timing.latency import measure_latency
from paredown.targets import target
paredown.runtimes.RUNTIMES["stand-in"] = "stand_in_runtime"
model = Path(sys.argv[1])
measure_latency(model, model, target(sys.argv[2]), {"x": np.zeros((1, 4), np.float32)})
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupting_leaves_no_process_and_no_file(
    tmp_path: Path, stand_in: Target, sent: signal.Signals
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    sleeper = model(tmp_path, "sleeper", f"open({str(tmp_path / 'runs')!r}, 'w').close(); time.sleep(1)")
    script = [sys.executable, "-c", INTERRUPTED, str(sleeper), str(tmp_path / "stand-in.toml")]
    parent = subprocess.Popen(script, stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(temporary)})
    wait_for(lambda: (tmp_path / "runs").exists())
    workers = psutil.Process(parent.pid).children()
    assert workers
    parent.send_signal(sent)
    parent.wait(20)
    wait_for(lambda: not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers))
    assert not list(temporary.iterdir())  # the feeds are the user's image


def children() -> list[psutil.Process]:
    ours = psutil.Process().children()
    return [p for p in ours if "paredown._measure.timing.worker" in " ".join(p.cmdline())]


def wait_for(condition: object, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
