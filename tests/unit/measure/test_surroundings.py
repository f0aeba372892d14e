"""Environment, doctor and noise: they name what they see and give nothing private away."""

import getpass
import json
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from paredown._measure import doctor
from paredown._measure.environment import environment
from paredown._measure.timing import noise
from paredown.hosts import memory, open_host
from paredown.machine import Counters, Machine, Throttling
from paredown.targets import target


def test_the_environment_is_plain_and_private() -> None:
    facts = environment(open_host(), threads=1)
    text = json.dumps(dict(facts))
    assert {"cpu", "arch", "cores_usable", "memory_bytes", "os", "python", "packages", "date"} <= set(facts)
    assert facts["threads"] == 1
    assert str(Path.home()) not in text
    assert platform.node() not in facts.values()
    assert getpass.getuser() not in facts.values()


def test_doctor_looks_at_everything() -> None:
    findings = doctor.check(target("local"))
    assert len(findings) >= 10
    assert all(f.what and f.level in ("ok", "warn", "bad") for f in findings)
    assert all(f.why for f in findings if f.level != "ok")
    assert isinstance(doctor.fit_to_time(findings), bool)


def test_another_device_is_not_fit_to_time() -> None:
    name = "raspberry-pi-5" if open_host().facts().arch == "x86_64" else "x86-vnni"
    assert not doctor.fit_to_time(doctor.check(target(name)))


def test_a_model_made_for_another_cpu_is_told() -> None:
    machine = Machine("x86_64", instruction_sets=frozenset({"avx2"}))
    assert doctor.made_for_another({}, machine) is None
    fitting = {"paredown.profile": "x86-avx2", "paredown.weight_bits": "7"}
    assert doctor.made_for_another(fitting, machine) is None
    assert "lacks vnni" in doctor.made_for_another({"paredown.profile": "x86-vnni"}, machine).why
    local = {"paredown.profile": "local", "paredown.weight_bits": "8"}
    assert "saturate" in doctor.made_for_another(local, machine).why
    assert "no such profile" in doctor.made_for_another({"paredown.profile": "toaster"}, machine).why


def test_doctor_says_which_device_a_model_was_made_for() -> None:
    def told(metadata: dict[str, str]) -> str:
        return doctor.check(target("local"), metadata)[-1].what

    assert "does not say" in told({})
    written = {"paredown.profile": "local", "paredown.weight_bits": "7"}
    assert told(written) == "the model was made for local, 7-bit weights"


def test_spread_and_drift_are_doubted() -> None:
    steady = [1.0, 1.01] * 10
    assert noise.series_doubts(steady, "model") == ()
    wide, wider = (noise.series_doubts([1.0, top] * 10, "model")[0] for top in (1.2, 1.5))
    assert (wide.kind, wide.unfit, wider.unfit) == ("spread", False, True)
    drifting = [1 + 0.009 * i for i in range(12)]
    assert any("slower while it was timed" in d.text for d in noise.series_doubts(drifting, "model"))


def test_a_governor_that_varies_is_doubted() -> None:
    machine = Machine("aarch64", governors=frozenset({"performance", "powersave"}))
    assert "powersave" in noise.machine_doubts(machine)[0].text
    assert noise.machine_doubts(replace(machine, governors=frozenset({"performance"}))) == ()


class Counting:
    """A host of four cores that counts what it is told."""

    def __init__(self, *counted: Counters) -> None:
        self.counted, self.asked = iter(counted), []

    def facts(self) -> Machine:
        return Machine("aarch64", cores_logical=4)

    def counters(self, pids: tuple[int, ...]) -> Counters:
        self.asked.append(pids)
        return next(self.counted)


def test_a_busy_neighbour_and_a_throttle_are_doubted() -> None:
    start = Counters(100.0, busy_s=50.0, ours_s=20.0)
    end = Counters(110.0, busy_s=90.0, withheld_s=8.0, ours_s=30.0, throttling=Throttling(1))
    host = Counting(start, end)
    busy, withheld, throttled = noise.NoiseWatch(host, [7, 8]).doubts()
    assert host.asked == [(7, 8), (7, 8)]
    assert busy.size == pytest.approx((40 - 10) / 40)  # of four cores for ten seconds
    assert withheld.size == pytest.approx(8 / 40)
    assert "other processes used 3.0 of 4 cores" in busy.text
    assert "withheld 20 %" in withheld.text
    assert "slowed down meanwhile: throttled by heat or power" in throttled.text
    assert busy.unfit
    assert throttled.unfit


def test_memory_is_read() -> None:
    assert 0 < memory.resident_bytes() <= memory.peak_resident_bytes() * 1.01


def test_the_measured_process_imports_little() -> None:
    code = (
        "import sys, paredown._measure.timing.worker, paredown.runtimes.onnxruntime; "
        "heavy = {'cv2', 'onnx', 'onnx_ir', 'psutil', 'plotly', 'torch', 'rich', 'faster_coco_eval'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
