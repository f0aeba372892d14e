"""A decode file of the user's own: run apart, held to time, refused where it gives no boxes, and shipped."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_up_models import model
from paredown import api
from paredown.cli import main
from paredown.deploy.script import detect_script
from paredown.errors import CardError
from paredown.families import own, own_process
from paredown.families.card_text import write_card
from paredown.families.cards import read_card
from paredown.families.hints import Hints, recognise_file
from paredown.families.own_decode import decode as on_device
from paredown.families.own_process import DecodeProcess
from paredown.families.recognition import predict
from paredown.job import run
from paredown.preprocessing.letterbox import fit_image
from paredown.study.limits import Limits
from paredown.study.options import Options
from toys import Toy

# What reads the toy detector (1, 6, 84) by hand: cx cy w h in pixels, two scores.
TOY_HEAD = """
import numpy as np

def decode(outputs, size):
    (answer,) = outputs.values()
    cx, cy, w, h = answer[0, :4]
    boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=1)
    n = boxes.shape[0]
    return np.concatenate([boxes, boxes]), answer[0, 4:].ravel(), np.repeat([0, 1], n)
"""
ODD = model({"o": ((1, 7, 9), ())}, input_shape=(1, 3, 32, 32))


@pytest.fixture
def head(tmp_path: Path) -> Path:
    path = tmp_path / "my_head.py"
    path.write_text(TOY_HEAD)
    return path


def test_a_file_reads_as_the_family_does(toy: Toy, head: Path) -> None:
    read = api.load(toy.model, toy.data, decode=head)
    assert read.card is not None
    assert (read.card.family, read.card.task, read.card.classes) == ("own", "detect", ("disc", "box"))
    usual = api.measure(toy.model, toy.data, what=("map",)).value("map50")
    assert api.measure(read, toy.data, what=("map",)).value("map50") == pytest.approx(
        usual, abs=0.05
    )  # the card drops doubles at another IoU


def test_a_card_names_it_and_a_card_of_ours_holds_it(head: Path, tmp_path: Path) -> None:
    said = tmp_path / "card.toml"
    said.write_text('[decode]\nfile = "my_head.py"\n[input]\nscale = "0..1"\n')
    card = read_card(said, ODD)
    assert card.decode == {"file": "my_head.py", "source": TOY_HEAD}
    write_card(card, tmp_path / "kept.toml")
    head.unlink()
    assert read_card(tmp_path / "kept.toml", ODD) == card
    with pytest.raises(CardError, match="decode file"):
        read_card(said, ODD)
    said.write_text('[decode]\nfile = "../my_head.py"\n')
    (tmp_path.parent / "my_head.py").write_text(TOY_HEAD)
    with pytest.raises(CardError, match="own folder"):
        read_card(said, ODD)
    (tmp_path.parent / "my_head.py").unlink()


def test_it_runs_in_a_process_of_its_own_and_on_the_device_in_the_script(head: Path) -> None:
    head.write_text(
        "import os\nimport numpy as np\n\ndef decode(outputs, size):\n"
        "    return [[0, 0, size[1], size[0]]], [0.5], [os.getpid() % 30000]\n"
    )
    found = recognise_file(ODD, Path("odd.onnx"), Hints(decode=head)).resolve()
    card = found.__class__(**{**vars(found), "classes": tuple(map(str, range(30000)))})
    outputs = {"o": np.zeros((1, 7, 9), np.float32)}
    _, frame = fit_image(np.zeros((64, 32, 3), np.uint8), card.preprocess)
    apart = predict(outputs, card, frame, 0.1)
    here = on_device(outputs, card, frame, conf=0.1, iou=0.5, max_detections=9)
    assert apart.classes[0] != os.getpid() % 30000
    assert here.classes[0] == os.getpid() % 30000
    np.testing.assert_array_equal(apart.boxes, here.boxes)
    assert "def load_decoder" in detect_script("own")
    assert "subprocess" not in detect_script("own")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def decode(outputs, size):\n    return 1 / 0\n", "ZeroDivisionError.*line 2"),
        ("def decode(outputs, size):\n    return [[1, 2]], [0.5], [0]\n", r"not \(n, 4\)"),
        ("def decode(outputs, size):\n    return 3\n", "not boxes, scores, classes"),
        ("x = 3\n", "no function decode"),
        ("import os\ndef decode(outputs, size):\n    os._exit(3)\n", "ended its process"),
    ],
)
def test_what_it_does_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(CardError, match=says), DecodeProcess(text, "my_head.py") as process:
        process({"o": np.zeros(3)}, (4, 4))


def test_it_is_held_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_process, "LIMIT_S", 0.5)
    process = DecodeProcess("import time\ndef decode(outputs, size):\n    time.sleep(60)\n", "slow.py")
    with pytest.raises(CardError, match="too long"):
        process({}, (4, 4))
    assert process._child.poll() is not None


def test_its_process_ends_with_the_last_card_that_it_read_for(head: Path) -> None:
    match = recognise_file(ODD, Path("odd.onnx"), Hints(decode=head))
    cards = [replace(match.resolve(), classes=("disc", "box")) for _ in range(2)]
    head_of_toy = {"o": np.zeros((1, 6, 9), np.float32)}
    for card in cards:
        own.candidates(head_of_toy, card, 0.1)
    child = own._running[TOY_HEAD]._child
    del card
    cards.pop()
    gc.collect()
    assert child.poll() is None
    cards.pop()
    gc.collect()
    assert child.poll() is not None
    assert TOY_HEAD not in own._running


def test_a_process_that_nobody_closed_ends_with_its_owner() -> None:
    process = DecodeProcess(TOY_HEAD, "my_head.py")
    child = process._child
    del process
    gc.collect()
    assert child.poll() is not None


def test_the_process_ends_with_its_stdin_though_the_decode_never_returns() -> None:
    """As where the parent was killed."""
    process = DecodeProcess("def decode(outputs, size):\n    while True:\n        pass\n", "endless.py")
    child = process._child
    assert child.stdin is not None
    own_process._send(child.stdin, {own_process._SIZE: np.array((4, 4))})
    child.stdin.close()
    assert child.wait(10) == 0
    process.close()


def test_an_answer_that_was_interrupted_is_not_taken_for_the_next(
    head: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head.write_text("def decode(outputs, size):\n    return [[0, 0, 4, 4]], [0.5], [outputs['o'][0, 0, 0]]\n")
    card = recognise_file(ODD, Path("odd.onnx"), Hints(decode=head)).resolve()

    def first(self: DecodeProcess, deadline: float) -> None:
        raise KeyboardInterrupt

    def asked(value: int) -> float:
        outputs = {"o": np.full((1, 7, 9), value, np.float32)}
        return float(own.candidates(outputs, card, 0.1).labels[0])  # type: ignore[index]

    assert asked(1) == 1
    with monkeypatch.context() as patch:
        patch.setattr(DecodeProcess, "_receive", first)
        with pytest.raises(KeyboardInterrupt):
            asked(2)
    assert asked(3) == 3


def test_what_is_no_python_is_refused_before_anything_runs(head: Path) -> None:
    head.write_text("def decode(outputs, size)\n")
    with pytest.raises(CardError, match="no Python"):
        recognise_file(ODD, Path("odd.onnx"), Hints(decode=head))


def test_boxes_that_cannot_be_are_refused_as_any_familys(toy: Toy, head: Path) -> None:
    head.write_text(TOY_HEAD.replace("answer[0, 4:].ravel()", "answer[0, 4:].ravel() * 90"))
    with pytest.raises(CardError, match="misread"):
        api.load(toy.model, toy.data, decode=head)


def test_a_new_file_runs_and_tells_the_outputs(toy: Toy, tmp_path: Path) -> None:
    out = tmp_path / "new_head.py"
    assert main(["new-decode", str(toy.model), "--data", str(toy.data), "--out", str(out)]) == 0
    text = out.read_text()
    assert "'output0': float32 1 x 6 x 84, " in text
    with DecodeProcess(text, "new_head.py") as process:
        found = process({"output0": np.zeros((1, 6, 84))}, (64, 64))
    assert found["boxes"].shape == (0, 4)
    assert main(["new-decode", str(toy.model), "--out", str(out)]) == 2
    assert main(["new-decode", str(toy.model), "--out", str(out), "--force"]) == 0


def test_a_whole_job_ships_it(toy: Toy, head: Path, tmp_path: Path) -> None:
    """The bundle's script reads by the file, which may be gone by then."""
    options = Options(recipes=("int8-minmax",), decode=str(head))
    outcome = run(toy.model, toy.data, toy.calib, out=tmp_path / "study", options=options, limits=Limits(90))
    assert outcome.card.family == "own"
    head.unlink()
    script = [sys.executable, str(outcome.bundle / "detect.py"), str(toy.data / "images"), "--frames", "1"]
    told = subprocess.run(script, capture_output=True, text=True, check=True)
    assert " disc" in told.stdout or " box" in told.stdout
