"""Every command but `run`: what it prints, as a table and as JSON, and how it refuses."""

from __future__ import annotations

import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from paredown._compress.presets import PRESETS
from paredown.cli import COMMANDS, main
from paredown.cli.parser import Parser
from paredown.hosts import open_host
from paredown.study.words import points_phrase

ROOT = Path(__file__).parents[2]


def told(capsys, *words):
    """What the command writes as JSON."""
    assert main([*map(str, words), "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def module_of(command):
    return f"paredown.cli.{command.replace('-', '_')}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_parses(name, capsys):
    command = import_module(module_of(name))
    assert main([name, "--help"]) == 0
    assert f"example:\n  {command.EXAMPLE}" in capsys.readouterr().out
    parse(command.EXAMPLE)


def parse(line):
    words = shlex.split(line)
    assert words[0] == "paredown"
    parser = Parser(prog="x")
    import_module(module_of(words[1])).arguments(parser)
    parser.parse_args(words[2:])


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md"))]
)
def test_every_command_in_the_documents_parses(page):
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"^ {4,}(paredown [a-z-]+ .*)$", text, re.MULTILINE):
        if "[" not in line and "   " not in line.split("  #")[0] and not re.search(r"\b[A-Z_]{3,}\b", line):
            parse(line.split("  #")[0])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_on_the_page_of_the_commands(name):
    parser = Parser(prog="x")
    import_module(module_of(name)).arguments(parser)
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    options = {o for o in parser._option_string_actions if o.startswith("--")} - {"--help"}
    assert {option for option in options if not re.search(rf"{option}\b(?!-)", page)} == set()


def test_inspect(toy, capsys):
    found = told(capsys, "inspect", toy.model)
    assert found["card"]["family"] == "yolov8"
    assert found["macs"] > 0
    assert main(["inspect", str(toy.model)]) == 0
    assert "heaviest layers" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["recipes", "steps", "families", "targets", "metrics", "formats"])
def test_list(kind, capsys):
    assert told(capsys, "list", kind)
    assert main(["list", kind]) == 0
    assert capsys.readouterr().out.startswith("name")


def test_doctor_gives_findings_and_a_verdict(capsys):
    code = main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found["fit_to_time"] else 1)
    assert {f["level"] for f in found["findings"]} <= {"ok", "warn", "bad"}


def test_a_file_made_for_another_cpu_is_told(toy, tmp_path, capsys):
    out, other = tmp_path / "small", "raspberry-pi-5" if open_host().facts().arch == "x86_64" else "x86-vnni"
    made = ["--recipe", "int8-dynamic", "--calib", toy.calib, "--out", out, "--target", other]
    told(capsys, "compress", toy.model, *made)
    main(["doctor", str(out / "model.onnx"), "--json"])
    assert f"the model was made for {other}" in capsys.readouterr().out
    measured = told(capsys, "measure", out / "model.onnx", "--data", toy.data, "--what", "map")
    assert any(f"made for {other}" in doubt for doubt in measured["doubts"])


def test_compress_measure_compare(toy, tmp_path, capsys):
    out = tmp_path / "small"
    made = told(capsys, "compress", toy.model, "--recipe", "int8", "--calib", toy.calib, "--out", out)
    assert made["recipe"] == PRESETS["int8"][0]
    assert {p.name for p in out.iterdir()} == {"model.onnx", "recipe.toml", "log.json", "card.toml"}
    given = ("measure", out / "model.onnx", "--data", toy.data, "--what", "map", "--baseline", toy.model)
    measured = told(capsys, *given, "--out", tmp_path / "m.json")
    assert measured["quantities"].keys() >= {"map50_95", "map50_95_drop", "fidelity_map50_95", "size_bytes"}
    assert "latency_s" not in measured["quantities"]
    assert json.loads((tmp_path / "m.json").read_text())["quantities"]
    pictures = tmp_path / "pictures"
    compared = told(capsys, "compare", toy.model, out / "model.onnx", "--data", toy.data, "--out", pictures)
    assert compared["statistics"]["lines"]
    lost = measured["quantities"]["map50_95_drop"]
    line = next(line for line in compared["statistics"]["lines"] if line["name"] == "map50_95")
    assert -100 * line["difference"]["value"] == pytest.approx(lost["value"], abs=1e-9)
    assert lost["how"] == "derived"
    assert len(compared["pictures"]) == len(list(pictures.glob("*.jpg")))
    assert main(["compare", str(toy.model), str(out / "model.onnx"), "--data", str(toy.data), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "95 % interval" in said
    assert f"B against A: {points_phrase(lost['value'])} of mAP50-95, 95 % CI" in said


def test_memory_alone_can_be_measured(toy, capsys):
    found = told(capsys, "measure", toy.model, "--data", toy.data, "--what", "memory")["quantities"]
    assert found.keys() == {"size_bytes", "peak_memory_bytes", "model_memory_bytes"}


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["rnu"], 2, "did you mean 'run'?"),
        (["run", "{model}", "--data", "{data}", "--max-dorp", "1"], 2, "'--max-drop'"),
        (["run", "{model}", "--data", "{data}", "--recipes", "int9"], 2, "'int8'"),
        (["run", "{model}", "--data", "{data}", "--target", "raspberry-pi-6"], 2, "'raspberry-pi-5'"),
        (["run", "{model}", "--data", "{data}", "--family", "yolov88"], 2, "'yolov8'"),
        (["run", "{model}", "--data", "{data}", "--max-drop", "-1"], 2, "must be zero or more"),
        (["run", "{model}", "--data", "{data}", "--budget", "soon"], 2, "no duration"),
        (["run", "{model}", "--data", "{data}", "extra"], 2, "too many arguments"),
        (["run", "{model}", "--data", "{tmp}/nowhere"], 1, "nothing there"),
        (["run", "{tmp}/missing.onnx", "--data", "{data}"], 1, "missing.onnx"),
        (["inspect", "{tmp}/truncated.onnx"], 1, "truncated.onnx"),
        (["inspect", "{tmp}/empty.onnx"], 1, "empty.onnx"),
        (["measure", "{tmp}/none.onnx", "--data", "{data}", "--what", "warmth"], 2, "thing to measure"),
        (["measure", "{model}", "--data", "{data}", "--target", "raspberry-pi-4"], 1, "raspberry-pi-4"),
        (["list", "recipe"], 2, "'recipes'"),
        (["report", "{tmp}"], 2, "no study directory"),
        (["watch", "{tmp}"], 2, "no study directory"),
        (["compare", "{tmp}", "--a", "float", "--b", "int8"], 2, "no study directory"),
        (
            ["run", "{model}", "--data", "{tmp}", "--sizes", "64,wide"],
            2,
            "names no sizes in pixels, such as 640,416, or auto",
        ),
        (["study", "{tmp}/none.toml"], 2, "none.toml"),
        (["doctor", "--target", "loacl"], 2, "'local'"),
    ],
)
def test_a_wrong_request_is_refused_in_words(given, code, words, toy, tmp_path, capsys):
    (tmp_path / "truncated.onnx").write_bytes(toy.model.read_bytes()[:1000])
    (tmp_path / "empty.onnx").write_bytes(b"")
    filled = [w.format(model=toy.model, data=toy.data, tmp=tmp_path) for w in given]
    if filled[0] == "run":
        filled += ["--out", str(tmp_path / "out")]
    assert main(filled) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert "\nerror: " in f"\n{told.err}"  # notes may stand before it
    assert told.err.endswith("\n\n")
    assert "Traceback" not in told.err
    assert not (tmp_path / "out").exists()


def test_nothing_typed_shows_the_overview(capsys):
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().err
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("paredown ")
