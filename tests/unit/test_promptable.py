"""A promptable model in two files goes the whole way: joined, asked, compressed by part, judged."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import paredown
from paredown import saving
from paredown._compress.presets import parse_recipe
from paredown._measure.prompted import EncodedOnce
from paredown.cli import main
from paredown.detections import Detections, Mask
from paredown.errors import CardError, UnknownName, UnsupportedModel, UsageError
from paredown.families.card_text import card_text
from paredown.families.cards import read_card
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.rejoin import rejoined
from paredown.graph.split import split
from paredown.inputs import read_model
from paredown.preprocessing.feeds import feed
from paredown.preprocessing.prompts import BOX, KINDS, MOVED, POINT, Prompt, asked_by, with_prompt
from paredown.sample import Labels
from paredown.targets import target
from paredown.tasks import TASKS
from paredown.tasks.prompting import MOST_THINGS, prompts_of

pytest.importorskip("torch")
BY_HAND = {"mask_input": np.zeros((1, 1, 24, 24), np.float32), "has_mask_input": np.zeros(1, np.float32)}


@pytest.fixture(scope="module")
def joined(pair):
    model = read_model(pair.card)
    return prepare(model.with_card(read_card(pair.card, model)))


@pytest.fixture(scope="module")
def images(pair):
    return paredown.read_dataset(pair.data)


def fed(model, image, prompt: Prompt | None = None):
    feeds, frame = feed(image, model.card.preprocess, model.inputs)
    return feeds if prompt is None else with_prompt(feeds, prompt, model.card, frame)


def test_the_card_is_that_of_sam(joined):
    card = joined.card
    assert (card.family, card.task, card.classes) == ("sam", "promptable", KINDS)
    assert card.preprocess.fit == "letterbox-corner"
    assert card.preprocess.mean[0] == pytest.approx(0.485)
    assert card.decode["points"] == "decoder/point_coords"
    assert card.decode["single"] == 0


def test_it_answers_as_the_two_files_by_hand(joined, pair, images):
    """SAM's own way: the encoder's answer and the prompt, in input pixels, into the decoder."""
    image = images[0].read()
    prompt = Prompt.of_box(np.array([8.0, 9.0, 30.0, 33.0]), BOX, 0)
    feeds = fed(joined, image, prompt)
    answer = target("local").compile(joined.data).run(feeds)
    encoder, decoder = (
        ort.InferenceSession(str(pair.card.with_name(f"{n}.onnx"))) for n in ("encoder", "decoder")
    )
    (embedded,) = encoder.run(None, {"image": feeds["encoder/image"]})
    scale = 48 / max(image.shape)
    points = np.array([[[8.0, 9.0], [30.0, 33.0]]], np.float32) * np.float32(scale)
    asked = {"point_coords": points, "point_labels": np.array([[2, 3]], np.float32), **BY_HAND}
    size = np.array(image.shape[:2], np.float32)
    masks, fits, low = decoder.run(None, {"image_embeddings": embedded, "orig_im_size": size, **asked})
    np.testing.assert_allclose(answer["decoder/low_res_masks"], low, atol=1e-4)
    np.testing.assert_allclose(answer["decoder/iou_predictions"], fits, atol=1e-4)
    _, frame = feed(image, joined.card.preprocess, joined.inputs)
    said = paredown.families.FAMILIES["sam"].decode(
        answer, asked_by(joined.card, prompt), frame, conf=0.0, iou=0.7, max_detections=9
    )
    by_hand = masks[0, 0] > 0  # for a box the first mask
    assert (said.masks[0].pixels == by_hand).mean() > 0.99


def test_a_point_takes_the_best_of_the_other_masks(joined):
    low = np.full((1, 4, 24, 24), -1.0, np.float32)
    low[0, 2] = 1.0
    answer = {"fits": np.array([[0.9, 0.2, 1.3, 0.3]], np.float32), "masks": low}
    card = replace(joined.card, decode={**joined.card.decode, "masks": 1, "fits": 0})
    _, frame = feed(np.zeros((40, 48, 3), np.uint8), card.preprocess, joined.inputs)
    for prompt, pixels, score in ((Prompt.of_point(3, 4, POINT), 40 * 48, 1.0),
                                  (Prompt.of_box(np.arange(4.0), BOX, 0), 0, 0.9)):  # fmt: skip
        said = paredown.families.FAMILIES["sam"].decode(
            answer, asked_by(card, prompt), frame, conf=0.5, iou=0.7, max_detections=1
        )
        assert said.masks[0].area == pixels
        assert said.scores[0] == pytest.approx(score)


def test_the_image_is_encoded_once_for_all_prompts(joined, images):
    whole, opened = target("local").compile(joined.data), []

    class Counting:
        def __init__(self, data: bytes) -> None:
            self._session, self.runs = target("local").compile(data), 0
            self.inputs, self.outputs = self._session.inputs, self._session.outputs
            opened.append(self)

        def run(self, feeds):
            self.runs += 1
            return self._session.run(feeds)

    once = EncodedOnce(joined, joined.card, Counting)
    feeds, frame = feed(images[0].read(), joined.card.preprocess, joined.inputs)
    for x in (5, 20, 35):
        asked = with_prompt(feeds, Prompt.of_point(x, 20, POINT), joined.card, frame)
        for name, value in whole.run(asked).items():
            np.testing.assert_allclose(once.run(asked)[name], value, atol=1e-4)
    assert [s.runs for s in opened] == [1, 6]


def test_parts_make_the_whole_again(joined, images):
    encoder, decoder = split(joined, "encoder/image")
    assert [s.name for s in encoder.inputs] == ["encoder/image"]
    again = rejoined(encoder, decoder, joined)
    onnx.checker.check_model(onnx.load_model_from_string(again.data))
    feeds = fed(joined, images[0].read())
    want, got = (target("local").compile(m.data).run(feeds) for m in (joined, again))
    for name in want:
        np.testing.assert_allclose(got[name], want[name], atol=1e-5)


def test_a_model_without_an_encoder_of_its_own_is_not_split(joined):
    encoder, _ = split(joined, "encoder/image")
    with pytest.raises(UnsupportedModel, match="image alone"):
        split(encoder, "encoder/image")


def test_prompts_are_drawn_by_the_rule():
    pixels = np.zeros((60, 80), np.bool_)
    pixels[10:50, 10:20] = True  # an L whose box has its middle outside
    pixels[40:50, 10:70] = True
    boxes = np.array([[10, 10, 70, 50], [5, 5, 9, 9], [0, 0, 80, 60]], np.float32)
    truth = Labels(boxes, np.array([3, 4, 5]), np.array([False, False, True]), np.array([900, 16, 4800]),
                   (Mask.of(pixels), None, None))  # fmt: skip
    prompts = prompts_of(truth, (60, 80))
    assert prompts == prompts_of(truth, (60, 80))
    assert [p.kind for p in prompts] == [BOX, POINT, MOVED, MOVED, MOVED] * 2
    assert [p.thing for p in prompts] == [0] * 5 + [1] * 5
    assert prompts[0].points == ((10, 10), (70, 50))
    ((x, y),) = prompts[1].points
    assert pixels[int(y), int(x)]
    assert prompts[6].points == ((7, 7),)  # no mask is known: the middle of the box
    for moved in prompts[2:5]:
        assert np.abs(np.subtract(moved.points, prompts[0].points)).max() <= 20
        assert moved.points != prompts[0].points


def test_only_the_largest_objects_ask_and_an_unknown_image_is_asked_by_a_grid():
    n = MOST_THINGS + 4
    boxes = np.stack([np.zeros(n), np.zeros(n), np.arange(n) + 1, np.full(n, 2)], 1).astype(np.float32)
    truth = Labels(boxes, np.zeros(n, np.int64), np.zeros(n, bool), boxes[:, 2] * 2)
    assert sorted({p.thing for p in prompts_of(truth, (9, 20))}) == list(range(4, n))
    empty = Labels(boxes[:0], np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0, np.float32))
    assert prompts_of(empty, (9, 9)) == ()
    grid = prompts_of(None, (30, 60))
    assert [p.points[0] for p in grid[:3]] == [(10, 5), (30, 5), (50, 5)]
    assert len(grid) == 9


def test_more_points_than_the_model_takes_are_refused(joined):
    feeds, frame = feed(np.zeros((40, 48, 3), np.uint8), joined.card.preprocess, joined.inputs)
    prompt = Prompt(((1, 1), (2, 2), (3, 3)), (1, 1, 1), POINT)
    with pytest.raises(ValueError, match="3 points, and the model takes 2"):
        with_prompt(feeds, prompt, joined.card, frame)


def node(op, reads, makes, **attributes):
    return helper.make_node(op, reads, makes, **attributes)


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def write(path, nodes, inputs, outputs, **stored):
    held = [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def write_efficient(folder, twins=False):
    """As EfficientSAM exports it: batches, queries and points open, int64 sizes, three masks of the image's
    size, none coarser. twins: two embeddings of one shape."""
    rng = np.random.default_rng(0)
    floats = {"w": rng.normal(size=(8, 3, 4, 4)).astype(np.float32)}
    made = ["emb", "more"] if twins else ["emb"]
    write(
        folder / "encoder.onnx",
        [node("Conv", ["batched_images", "w"], [n], kernel_shape=[4, 4], strides=[4, 4]) for n in made],
        [value("batched_images", (1, 3, 32, 32))],
        [value(n, (1, 8, 8, 8)) for n in made],
        **floats,
    )
    nodes = [
        node("ReduceMean", ["coords"], ["a"], keepdims=0),
        node("ReduceMean", ["labels"], ["b"], keepdims=0),
        node("Add", ["a", "b"], ["ab"]),
        node("Add", ["e0", "e1" if twins else "e0"], ["e"]),
        node("Conv", ["e", "v"], ["x"]),
        node("Add", ["x", "ab"], ["y"]),
        node("Concat", ["first", "size"], ["sizes"], axis=0),
        node("Resize", ["y", "", "", "sizes"], ["z"], mode="linear"),
        node("Unsqueeze", ["z", "one"], ["output_masks"]),
        node("ReduceMean", ["output_masks"], ["iou_predictions"], axes=[3, 4], keepdims=0),
    ]
    write(
        folder / "decoder.onnx",
        nodes,
        [
            *(value(f"e{i}", ("b", 8, 8, 8)) for i in range(len(made))),
            value("coords", ("b", "q", "n", 2)),
            value("labels", ("b", "q", "n")),
            value("size", (2,), TensorProto.INT64),
        ],
        [value("output_masks", (1, 1, 3, "h", "w")), value("iou_predictions", (1, 1, 3))],
        v=rng.normal(size=(3, 8, 1, 1)).astype(np.float32),
        first=np.array([1, 3]),
        one=np.array([1]),
    )
    card = folder / "card.toml"
    card.write_text('[parts]\nencoder = "encoder.onnx"\ndecoder = "decoder.onnx"\n')
    return card


def test_efficient_sam_s_kind_is_read_too(tmp_path, images):
    card = write_efficient(tmp_path)
    model = paredown.load(card, images)
    assert model.card.decode["single"] == -1
    prepared = prepare(model)
    assert [s.shape for s in prepared.inputs] == [(1, 3, 32, 32), (1, 1, 2, 2), (1, 1, 2)]
    measured = paredown.measure(model, images, what=["map"], threads=1)
    assert {q.name for q in measured.quantities} >= {"prompt_miou", "prompt_spread"}


def test_embeddings_of_one_shape_are_asked_for_and_said(tmp_path):
    card = write_efficient(tmp_path, twins=True)
    with pytest.raises(CardError, match="shapes do not tell") as error:
        read_model(card)
    assert "[parts.embeddings]" in str(error.value)
    card.write_text(card.read_text() + '[parts.embeddings]\nemb = "e1"\nmore = "e0"\n')
    assert [s.name for s in read_model(card).inputs][:1] == ["encoder/batched_images"]
    card.write_text(card.read_text().replace('"e1"', '"e2"'))
    with pytest.raises(UnknownName, match="input of the decoder"):
        read_model(card)


def test_a_written_card_names_the_parts_and_stands_for_the_model(tmp_path, capsys):
    card = write_efficient(tmp_path, twins=True)
    card.write_text(card.read_text() + '[parts.embeddings]\nemb = "e1"\nmore = "e0"\n')
    written = tmp_path / "mine.toml"
    assert main(["card", str(card), "--out", str(written)]) == 0
    before, after = read_model(card), read_model(written)
    assert (before.sha256, before.inputs) == (after.sha256, after.inputs)
    assert read_card(written, after).family == "sam"
    (tmp_path / "elsewhere").mkdir()
    assert main(["card", str(card), "--out", str(tmp_path / "elsewhere" / "mine.toml")]) == 2
    assert "beside it, or below it" in capsys.readouterr().err


def masks(*columns: int) -> tuple[Mask, ...]:
    found = []
    for n in columns:
        pixels = np.zeros((10, 10), np.bool_)
        pixels[:, :n] = True
        found.append(Mask.of(pixels))
    return tuple(found)


def answer(*columns: int) -> Detections:
    n = len(columns)
    return Detections(np.zeros((n, 4), np.float32), np.ones(n, np.float32), np.array([0, 1, 2, 2, 2][:n]),
                      masks(*columns))  # fmt: skip


def test_figures_are_those_worked_out_by_hand(joined):
    task, card = TASKS["promptable"], joined.card
    truth = Labels(np.array([[0, 0, 10, 10]], np.float32), np.zeros(1, np.int64), np.zeros(1, bool),
                   np.array([100.0]), masks(10))  # fmt: skip
    from paredown.metrics import METRICS

    found = task.against_truth([answer(10, 5, 8, 6, 4)], [truth], card)
    once = task.tally(found, np.ones((1, 1), np.int64))
    values = {name: METRICS[name].compute(once)[0] for name in
              ("prompt_miou", "box_miou", "point_miou", "moved_miou", "prompt_spread")}  # fmt: skip
    assert values["box_miou"] == 1.0
    assert values["point_miou"] == 0.5
    assert values["prompt_miou"] == 0.75
    assert values["moved_miou"] == pytest.approx(0.6)
    assert values["prompt_spread"] == pytest.approx(np.std([1.0, 0.8, 0.6, 0.4]))
    same = task.against_reference([answer(10, 5, 8, 6, 4)], [answer(10, 10, 8, 6, 4)], card)
    tally = task.tally(same, np.ones((1, 1), np.int64))
    assert METRICS["fidelity_prompt_miou"].compute(tally)[0] == 0.75
    nothing = task.against_reference([answer(0)], [answer(0)], card)
    assert nothing.iou[0] == 1.0


def test_answers_are_kept_and_come_back(joined):
    task = TASKS["promptable"]
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), ())
    kept = task.restore(task.store([none, answer(3, 4, 5, 6, 7), answer(1)]))
    assert [len(p) for p in kept] == [0, 5, 1]
    assert [m.area for m in kept[1].masks] == [30, 40, 50, 60, 70]


def test_a_compressed_model_holds_each_part_s_recipe(pair, images):
    calib = paired(pair)
    model = paredown.load(pair.card, calib)
    made = paredown.compress(model, "encoder+int8-dynamic+decoder+int8-weights", calib, threads=1)
    whole = onnx.load_model_from_string(made.model.data)
    integers = [n.name for n in whole.graph.node if n.op_type == "MatMulInteger"]
    assert integers
    encoder, decoder = split(made.model, "encoder/image")
    assert "MatMulInteger" in {n.op_type for n in onnx.load_model_from_string(encoder.data).graph.node}
    assert "MatMulInteger" not in {n.op_type for n in onnx.load_model_from_string(decoder.data).graph.node}
    assert decoder.size_bytes < 0.75 * split(prepare(model), "encoder/image")[1].size_bytes
    assert {r.step for r in made.log if r.action == "note"} >= {"encoder", "decoder"}
    assert made.model.metadata["paredown.recipe"] == "encoder+dynamic+decoder+w8-pc"
    assert [s.name for s in made.model.inputs] == [s.name for s in model.inputs]
    measured = paredown.measure(made.model, images, baseline=model, what=["map"], threads=1)
    values = {q.name: q.value for q in measured.quantities}
    assert values["fidelity_prompt_miou"] > 0.8


def test_compress_writes_both_parts_for_programs_that_have_them_apart(pair, tmp_path, images):
    model = paredown.load(pair.card, images)
    made = paredown.compress(model, "int8-weights", images, threads=1)
    folder = saving.save(made, tmp_path / "out")
    whole = target("local").compile((folder / "model.onnx").read_bytes(), threads=1)
    files = (str(folder / f"{name}.onnx") for name in ("encoder", "decoder"))
    encoder, decoder = map(ort.InferenceSession, files)
    assert [i.name for i in encoder.get_inputs()] == ["image"]
    feeds = fed(made.model, images[0].read(), Prompt.of_point(20, 20, POINT))
    embedded = encoder.run(None, {"image": feeds["encoder/image"]})
    given = dict(zip([o.name for o in encoder.get_outputs()], embedded, strict=True))
    plain = {name.removeprefix("decoder/"): value for name, value in feeds.items()}
    asked = {i.name: (given | plain)[i.name] for i in decoder.get_inputs()}
    want, got = whole.run(feeds), decoder.run([o.name for o in decoder.get_outputs()], asked)
    for output, value in zip(decoder.get_outputs(), got, strict=True):
        np.testing.assert_allclose(value, want[f"decoder/{output.name}"], atol=1e-3)


def paired(pair):
    return paredown.read_dataset(pair.calib)


def stored_bytes(model):
    """Of all numbers in the file."""
    return sum(numpy_helper.to_array(t).nbytes for t in to_proto(model).graph.initializer)


@pytest.mark.parametrize("recipe", ["int8", "int8-dynamic", "int8-weights", "ort-dynamic"])
def test_recipes_make_a_model_that_still_answers(pair, images, recipe):
    calib = paired(pair)
    model = paredown.load(pair.card, calib)
    made = paredown.compress(model, recipe, calib, threads=1)
    measured = paredown.measure(made.model, images, baseline=model, what=["map"], threads=1)
    values = {q.name: q.value for q in measured.quantities}
    assert values["fidelity_prompt_miou"] > 0.75
    assert stored_bytes(made.model) < stored_bytes(model)
    if recipe != "int8":  # names of Q and DQ nodes take what a toy with so few weights saves
        assert made.model.size_bytes < model.size_bytes


@pytest.mark.parametrize(
    ("recipe", "says"),
    [("int8-weights+encoder+int8", "begins with one"), ("encoder+w8-pc+encoder+w8-pc", "names each once")],
)
def test_a_recipe_of_parts_in_disorder_is_refused(pair, recipe, says):
    calib = paired(pair)
    with pytest.raises(UsageError, match=says):
        paredown.compress(paredown.load(pair.card, calib), recipe, calib)


def test_parts_of_another_model_are_refused(toy):
    calib = paredown.read_dataset(toy.calib)
    with pytest.raises(UsageError, match="only a promptable model"):
        paredown.compress(paredown.load(toy.model, calib), "encoder+w8-pc", calib)


def test_a_recipe_of_parts_reads_as_it_is_spelled():
    name = "encoder+dynamic+decoder+w8-pc"
    assert parse_recipe(name).name == name
    assert parse_recipe("encoder+int8-dynamic+decoder+int8-weights").name == name


def test_the_whole_job(pair, tmp_path):
    limits, options = paredown.Limits(), paredown.Options(recipes=("int8-dynamic",), threads=1)
    done = paredown.run(pair.card, str(pair.data), str(pair.calib), out=tmp_path / "out", limits=limits,
                        options=options)  # fmt: skip
    assert not done.failed, [t.error for t in done.trials]
    names = {q.name for t in done.trials for q in t.measurement.quantities}
    assert {"prompt_miou", "box_miou", "point_miou", "prompt_spread", "latency_s"} <= names
    assert done.report.is_file()
    image = next((pair.data / "images").iterdir())
    said = subprocess.run(  # one prompt, in the middle
        [sys.executable, done.bundle / "detect.py", image, "--json"], capture_output=True, check=True
    )
    (row,) = json.loads(said.stdout)["detections"]
    assert row["class"] == "point"


def test_without_truth_a_grid_asks_and_the_float_model_judges(pair, images):
    model = paredown.load(pair.card, images)
    bare = replace(images, samples=tuple(replace(s, truth=None) for s in images), classes=())
    compared = paredown.compare(model, prepare(model), bare, threads=1)
    (agreement, *_) = compared.statistics.agreement
    assert agreement.name == "fidelity_prompt_miou"
    assert agreement.value > 0.999


def test_a_part_alone_is_sent_to_the_card(pair, images):
    with pytest.raises(CardError, match="names the parts of a model") as error:
        paredown.load(pair.card.with_name("encoder.onnx"), images)
    assert "in the place of the model" in str(error.value)


def test_a_written_card_reads_back_for_the_joined_file(joined, tmp_path):
    (tmp_path / "model.onnx").write_bytes(joined.data)
    (tmp_path / "card.toml").write_text(card_text(joined.card))
    model = read_model(tmp_path / "model.onnx")
    assert read_card(tmp_path / "card.toml", model) == joined.card


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[parts]\nencoder = "encoder.onnx"\n', "names no parts"),
        ("conf = 0.1\n", "names no parts"),
        ('[parts]\nencoder = "encoder.onnx"\ndecoder = "decoder.onnx"\nhead = "x"\n', "unknown key"),
        ('[parts]\nencoder = "encoder.onnx"\ndecoder = "none.onnx"\n', "no model file"),
        ('[parts]\nencoder = "decoder.onnx"\ndecoder = "encoder.onnx"\n', "one input, an image"),
        ('[parts]\nencoder = "encoder.onnx"\ndecoder = "../decoder.onnx"\n', "beside the card"),
    ],
)
def test_parts_that_are_none_are_refused(pair, tmp_path, text, says):
    for name in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / name).write_bytes(pair.card.with_name(name).read_bytes())
    card = tmp_path / "card.toml"
    card.write_text(text)
    with pytest.raises(paredown.errors.ParedownError, match=says):
        read_model(card)


def test_json_of_the_model_names_the_family(pair, capsys):
    from paredown.cli import main

    assert main(["inspect", str(pair.card), "--json"]) == 0
    assert "sam" in json.dumps(json.loads(capsys.readouterr().out))
