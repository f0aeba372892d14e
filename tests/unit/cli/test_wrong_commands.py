"""What is refused says what was got, what is expected or what to do, and says it before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

import toys
from paredown.cli import main


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in: images in `photos`, `empty`, `texts`, and files that are not what they seem."""
    toys.write_images(tmp_path / "photos", 4, 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    for name in "abcde":
        (tmp_path / "texts" / f"{name}.txt").write_text("x")
    (tmp_path / "fake.onnx").write_text("hello")
    (tmp_path / "bad.toml").write_text("x = [")
    (tmp_path / "log.csv").write_text("hello\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("inspect fake.onnx", ["got: 5 bytes", "expected: an .onnx", "hint: fetch"]),
        ("inspect fke.onnx", ["got: nothing there", "expected: an", "hint: did you mean fake.onnx?"]),
        ("inspect empty", ["got: a folder", "expected: an .onnx", "hint:"]),
        ("inspect model.onnx --family yolo99", ["expected: ", "yolov8", "hint: did you mean"]),
        ("inspect model.onnx --family nanodet", ["got: inputs", "expected: NanoDet", "hint: leave --family"]),
        ("run model.onnx --data nosuch", ["got: nothing there", "hint: the path exists"]),
        ("run model.onnx --data empty", ["got: an empty folder", "expected: images", "hint: docs/data.md"]),
        ("run model.onnx --data texts", ["got: a.txt, b.txt, c.txt, ...\n", "expected: images"]),
        ("run model.onnx --data bad.toml", ["got: a .toml file", "expected: images"]),
        (
            "run model.onnx --data photos --card bad.toml",
            ["got: Invalid", "expected: lines of `key = value`"],
        ),
        ("run model.onnx --data photos --card no.toml", ["got: No such file", "hint: check the path"]),
        ("run model.onnx --data photos --calibration-images 0", ["--calibration-images: '0'", "above zero"]),
        ("run model.onnx --data photos --power-log log.csv", ["got: hello", "expected: a first line"]),
        ("measure model.onnx --data photos --baseline fake2.onnx", ["got: nothing there", "fake.onnx?"]),
        ("measure model.onnx --data photos --target jetsn-nano", ["expected: arm", "mean 'jetson-nano'"]),
        ("measure model.onnx --data photos --host sh:pi@x", ["expected: emulated", "mean 'ssh:pi@x'"]),
        ("measure model.onnx --data photos --runtime onxruntime", ["expected: litert", "mean 'onnxruntime'"]),
        ("study bad.toml", ["got: Invalid", "expected: lines of `key = value`"]),
    ],
)
def test_what_was_wrong_got_expected_and_a_hint(
    files: Path, line: str, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    toys.write_detector(files / "model.onnx")
    assert main(line.split()) in (1, 2)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")  # nothing was begun
    for part in parts:
        assert part in told.err


@pytest.mark.parametrize(
    ("recipe", "word"), [("bf16", "no arithmetic"), ("int8-qat", "needs the package 'torch'")]
)
def test_a_recipe_that_cannot_be_made_here_is_refused_before_the_model_is_read(
    files: Path,
    recipe: str,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("paredown._compress.recipe.find_spec", lambda _: None)
    line = f"compress nosuch.onnx --recipe {recipe} --calib photos --out made"
    assert main(line.split()) in (1, 2)
    assert word in capsys.readouterr().err
    assert not (files / "made").exists()


def test_compress_says_on_how_many_images_it_calibrates(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toys.write_detector(files / "model.onnx")
    line = "compress model.onnx --recipe fp16 --calib photos --out made --scale 0..1"
    assert main(line.split()) == 0
    assert "calibrated on all 4 images of --calib\n" in capsys.readouterr().err
