"""Learning on the tiny networks: it helps, it repeats, it goes on after a stop, it never hands back worse."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

import nets
from paredown.errors import CalibrationError, StorageError, UnsupportedModel, UsageError
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import constant, to_ir
from paredown.model import Model

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown._compress.finetune.augment import augment  # noqa: E402
from paredown._compress.finetune.distillation_loss import make_objective  # noqa: E402
from paredown._compress.finetune.rates import HASTE, groups  # noqa: E402
from paredown._compress.finetune.taps import find_taps  # noqa: E402
from paredown._compress.finetune.trainer import distill  # noqa: E402
from paredown._compress.finetune.training import Training, better  # noqa: E402
from paredown.graph.executor import Executor  # noqa: E402
from paredown.graph.learnable import along  # noqa: E402

SHORT = Training(steps=20, batch=4, checks=4, threads=1)


def pair(name: str, recipe: str = "w4a8-even-all") -> tuple[Model, Model]:
    """The float model and its quantized pupil."""
    source = prepare(nets.NETS[name]())
    return source, nets.compressed(source, recipe, threads=1).model


def error(source: Model, made: Model) -> float:
    found = []
    for image in nets.images(4, seed=7):
        found += [
            nets.agreement(w, g) for w, g in zip(nets.run(source, image), nets.run(made, image), strict=True)
        ]
    return float(np.mean(found))


@pytest.mark.parametrize("name", ["classifier", "residual", "attention"])
def test_qat_brings_the_answers_nearer(name: str) -> None:
    source, plain = pair(name)
    made = nets.compressed(source, "w4a8-even-all+qat-steps40", threads=1)
    assert error(source, made.model) < 0.85 * error(source, plain)
    nodes = [[n.op_type for n in to_proto(m).graph.node] for m in (plain, made.model)]
    assert nodes[0] == nodes[1]
    log = [r for r in made.log if r.step.startswith("qat")]
    assert log[0].action == "note"
    assert log[0].data["parts"]
    assert any(r.action == "changed" and r.data["moved"] > 0 for r in log[1:])


def test_the_file_answers_in_the_runtime_as_in_the_executor() -> None:
    source = prepare(nets.NETS["detector"]())
    made = nets.compressed(source, "w8a8+qat-steps10", threads=1).model
    executor = Executor(made)
    for image in nets.images(2, seed=5):
        with torch.no_grad():
            mine = [x.numpy() for x in executor.run(executor.feeds({"image": image})).values()]
        for want, got in zip(nets.run(made, image), mine, strict=True):
            assert np.abs(want - got).max() <= 4 * np.ptp(want) / 255


def test_the_same_seed_gives_the_same_bytes() -> None:
    source = prepare(nets.NETS["residual"]())
    first, second, other = (
        nets.compressed(source, "w8a8+qat-steps8", threads=1, seed=s).model.data for s in (0, 0, 1)
    )
    assert first == second != other


def test_behind_no_quantization_it_says_so() -> None:
    source = prepare(nets.NETS["residual"]())
    made = nets.compressed(source, "qat")
    assert [r.action for r in made.log] == ["skipped"]
    assert "w8a8" in made.log[0].why


class Stop(Exception):
    pass


def test_a_stopped_training_goes_on_to_the_same_end(tmp_path: Path) -> None:
    source, pupil = pair("residual")
    whole = distill(pupil, source, nets.feeds, SHORT)
    rounds = 0

    def stopping(items, what, total=None):
        nonlocal rounds
        rounds += 1
        if rounds > 2:
            raise Stop
        return items

    kept = replace(SHORT, folder=tmp_path / "new")
    with pytest.raises(Stop):
        distill(pupil, source, nets.feeds, kept, progress=stopping)
    (file,) = kept.folder.iterdir()
    with pytest.raises(Stop):  # another training does not find it
        distill(pupil, source, nets.feeds, replace(kept, seed=3), progress=stopping)
    written = file.read_bytes()
    again = distill(pupil, source, nets.feeds, kept)
    assert not file.exists()
    assert again.error == pytest.approx(whole.error, rel=1e-3)
    for name, want in whole.arrays.items():
        np.testing.assert_allclose(again.arrays[name], want, rtol=1e-4, atol=1e-6)
    file.write_bytes(written[: len(written) // 2])
    with pytest.raises(StorageError, match="no checkpoint"):
        distill(pupil, source, nets.feeds, kept)


def test_unlabelled_images_are_learned_from() -> None:
    source, pupil = pair("residual")
    plain = distill(pupil, source, nets.feeds, SHORT)
    nothing = distill(pupil, source, nets.feeds, SHORT, learn_from=lambda: nets.feeds(0))
    more = distill(pupil, source, nets.feeds, SHORT, learn_from=lambda: nets.feeds(4, seed=99))
    apart = {name: float(np.abs(more.arrays[name] - want).max()) for name, want in plain.arrays.items()}
    for name, want in plain.arrays.items():
        np.testing.assert_allclose(nothing.arrays[name], want, atol=1e-5)  # sums of threads, divided by Adam
    assert max(apart.values()) > 1e-4


@pytest.mark.parametrize("step", ["qat-steps0", "qat-minutes0", "distill-steps0"])
def test_a_training_of_no_length_is_refused(step: str) -> None:
    source = prepare(nets.NETS["residual"]())
    with pytest.raises(UsageError, match="a training of no length"):
        nets.compressed(source, f"sparse50+{step}" if "distill" in step else f"w8a8+{step}")


def test_what_is_handed_back_is_never_worse_than_the_start() -> None:
    source, pupil = pair("classifier", "w8a8")
    learned = distill(pupil, source, nets.feeds, replace(SHORT, rate=3.0))
    assert learned.error == 1.0
    for name, start in Executor(pupil).learned().items():
        np.testing.assert_allclose(learned.arrays[name], start, rtol=1e-6)


def test_the_time_limit_ends_it_and_the_rest_is_cosine() -> None:
    source, pupil = pair("residual")
    learned = distill(pupil, source, nets.feeds, replace(SHORT, steps=100_000, minutes=0.02))
    assert learned.stopped in ("time", "no progress")
    assert learned.seconds < 10


def test_no_images_is_an_error() -> None:
    source, pupil = pair("residual")
    with pytest.raises(CalibrationError):
        distill(pupil, source, lambda: [], SHORT)


def test_a_pupil_of_another_graph_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="not the teacher's"):
        distill(prepare(nets.NETS["classifier"]()), prepare(nets.NETS["detector"]()), nets.feeds, SHORT)


def test_heads_features_and_scores_are_found_by_structure() -> None:
    graph = to_ir(prepare(nets.NETS["detector"]())).graph
    seen = find_taps(graph)
    makers = {str(v.name): n for n in graph for v in n.outputs}
    assert [makers[h].op_type for h in seen.heads] == ["Conv", "Conv"]
    assert len(seen.scores) == 1  # the sigmoid over classes, not the softmax over distances
    assert seen.features


def biased_detector(scores: float) -> Model:
    """One head: 4 box channels and 2 class channels, these through a sigmoid, around a given logit."""
    net = nets.Net()
    x = net.silu(net.conv("image", 3, 8, stride=2))
    weight, bias = (
        net.normal(6, 8, 1, 1, spread=0.1),
        net.constant(np.array([0] * 4 + [scores] * 2, np.float32)),
    )
    head = net.node("Conv", x, weight, bias)
    parts = net.node("Split", head, net.constant(np.array([4, 2])), axis=1, outputs=2)
    return prepare(net.model(net.node("Concat", parts, net.node("Sigmoid", f"{parts}_1"), axis=1)))


def test_score_channels_are_told_from_coordinates() -> None:
    model = biased_detector(-6.0)
    seen = find_taps(to_ir(model).graph)
    teacher = Executor(model, [*seen.heads, *seen.features, *seen.answers])
    objective = make_objective(teacher, seen, [{"image": torch.from_numpy(i)} for i in nets.images(2)])
    assert objective.score[seen.heads[0]].tolist() == [False] * 4 + [True] * 2
    often = biased_detector(0.0)  # as often yes as no: coordinates behind a sigmoid
    teacher = Executor(often, [*seen.heads, *seen.features, *seen.answers])
    objective = make_objective(teacher, seen, [{"image": torch.from_numpy(i)} for i in nets.images(2)])
    assert not objective.score[seen.heads[0]].any()


def test_an_error_at_a_sure_position_weighs_more_than_one_in_the_background() -> None:
    model = biased_detector(-6.0)
    seen = find_taps(to_ir(model).graph)
    executor = Executor(model, [*seen.heads, *seen.features, *seen.answers])
    image = torch.from_numpy(nets.images(1)[0])
    objective = make_objective(executor, seen, [{"image": image}])
    with torch.no_grad():
        truth = executor.run({"image": image})
    head = seen.heads[0]
    truth[head][0, 4, 2, 3] = 4.0  # one object
    errors = []
    for place in ((2, 3), (5, 5)):
        answer = dict(truth) | {head: truth[head].clone()}
        answer[head][0, 0, *place] += 1.0
        errors.append(float(objective.parts(truth, answer)["boxes"]))
    assert errors[0] > 20 * errors[1] > 0
    assert all(float(v) == pytest.approx(0, abs=1e-6) for v in objective.parts(truth, truth).values())


def test_class_scores_without_an_object_weigh_little() -> None:
    """Beside a head that tells objectness, a class score counts where the other says there is something."""
    net = nets.Net()
    x = net.silu(net.conv("image", 3, 8, stride=2))
    heads = []
    for channels in (1, 3):
        bias = net.constant(np.full(channels, -6.0, np.float32))
        heads.append(net.node("Conv", x, net.normal(channels, 8, 1, 1, spread=0.1), bias))
    model = prepare(net.model(*(net.node("Sigmoid", h) for h in heads)))
    seen = find_taps(to_ir(model).graph)
    executor = Executor(model, [*seen.heads, *seen.features, *seen.answers])
    image = torch.from_numpy(nets.images(1)[0])
    objective = make_objective(executor, seen, [{"image": image}])
    with torch.no_grad():
        truth = executor.run({"image": image})
    there, classes = sorted(seen.heads, key=lambda h: truth[h].shape[1])
    truth[there][0, 0, 2, 3] = 5.0  # an object; the class is as sure at both places
    truth[classes][0, 1, 2, 3] = truth[classes][0, 1, 5, 5] = 1.0
    errors = []
    for place in ((2, 3), (5, 5)):
        answer = dict(truth) | {classes: truth[classes].clone()}
        answer[classes][0, 1, *place] -= 2.0
        errors.append(float(objective.parts(truth, answer)["scores"]))
    assert errors[0] > 20 * errors[1] > 0


@pytest.mark.parametrize("last", [False, True])
def test_views_keep_shape_and_range(last: bool) -> None:
    x = torch.from_numpy(np.concatenate(nets.images(6)))
    x = x.permute(0, 2, 3, 1) if last else x
    views = [augment({"x": x}, np.random.default_rng(s))["x"] for s in (0, 0, 1)]
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])
    assert views[0].shape == x.shape
    assert float(views[0].min()) >= float(x.min()) - 1e-5
    assert float(views[0].max()) <= float(x.max()) + 1e-5


def test_a_blended_image_lies_between_two_of_its_batch() -> None:
    """Four plain grounds stay plain whatever the view: each becomes a mean of two, or stays as it was."""
    x = torch.tensor([0.0, 1.0, 10.0, 100.0]).reshape(4, 1, 1, 1).expand(4, 3, 8, 8).clone()
    whole = blended = 0
    for seed in range(40):
        made = augment({"x": x}, np.random.default_rng(seed), 0.5)["x"]
        values = made[:, 0, 0, 0]
        assert torch.allclose(made, values.reshape(4, 1, 1, 1).expand_as(made), atol=1e-4)
        same = torch.isclose(values, x[:, 0, 0, 0])
        whole, blended = whole + int(same.sum()), blended + int((~same).sum())
    assert whole > 40
    assert blended > 40
    assert torch.equal(
        augment({"x": x[:1]}, np.random.default_rng(0), 0.5)["x"], x[:1]
    )  # nothing to blend it with


def test_what_is_no_image_is_not_augmented() -> None:
    x = torch.ones(2, 7)
    assert augment({"x": x}, np.random.default_rng(0))["x"] is x


def test_a_scale_moves_the_end_of_its_grid_as_fast_as_a_weight_moves() -> None:
    """In steps of their grids: 127 steps from zero to the end at 8 bits, 7 at 4 bits."""
    for recipe, reach in (("w8a8-pc-mse", 127), ("w4a8-pc-mse-even-all", 7)):
        pupil = Executor(pair("residual", recipe)[1])
        rates = {id(g["params"][0]): g["longest"] for g in groups(pupil, 0.01)}  # type: ignore[index]
        found = {
            item.reach: float(rates[id(pupil.parameters[name])])  # type: ignore[arg-type]
            for name, item in pupil.learnables.items()
            if item.kind == "scale"
        }
        assert reach in found
        assert any(128 <= r <= 255 for r in found)
        assert all(rate * r == pytest.approx(0.01 * HASTE) for r, rate in found.items())


def test_a_certain_classifier_still_tells_its_scores() -> None:
    """Where the teacher is certain, softmax hides other scores; what all scores share tells nothing."""
    model = prepare(nets.NETS["classifier"]())
    seen = find_taps(to_ir(model).graph)
    executor = Executor(model, [*seen.heads, *seen.features, *seen.answers])
    with torch.no_grad():
        truth = executor.run({"image": torch.from_numpy(nets.images(1)[0])})
    objective = make_objective(executor, seen, [{"image": torch.from_numpy(i)} for i in nets.images(4)])
    head = seen.heads[0]
    truth[head][0, 0] += 30.0
    shifted, moved = truth[head] + 3.0, truth[head].clone()
    moved[0, 1] += 3.0
    same = objective.parts(truth, truth | {head: shifted})
    other = objective.parts(truth, truth | {head: moved})
    assert float(same["logits"]) == pytest.approx(0, abs=1e-6)
    assert float(other["rows"]) < 1e-6 < 1e-2 < float(other["logits"])


def test_rounding_against_the_nearest_integer_is_kept_at_first() -> None:
    """Rounded away from the nearest integer, a weight begins well inside its own; others where they were."""
    source = prepare(nets.NETS["residual"]())
    pupil = nets.compressed(source, "w4a8-pc-mse-even-all", threads=1).model
    plain = Executor(pupil)
    name, item = next((n, i) for n, i in plain.learnables.items() if i.stored and not i.stored.fine)
    node = item.stored.dequantize
    scale = along(node, np.asarray(constant(node.inputs[1])), item.start.shape)
    integers = item.start / scale
    wanted = integers + 0.3
    wanted.flat[0] = integers.flat[0] - 0.8
    begun = (
        Executor(pupil, unrounded={str(node.name): wanted.astype(np.float32)})
        .parameters[name]
        .detach()
        .numpy()
    )
    apart = begun / scale - integers
    assert apart.flat[0] == pytest.approx(-0.25, abs=1e-3)
    np.testing.assert_allclose(apart.reshape(-1)[1:], 0.3, atol=1e-3)


@pytest.mark.parametrize("recipe", ["w4a4-pc-mse-all", "w1a4-pc-mse-all", "w1a8-pc-mse-all"])
def test_few_bits_answer_in_the_runtime_as_in_the_executor(recipe: str) -> None:
    source = prepare(nets.NETS["residual"]())
    made = nets.compressed(source, f"{recipe}+qat-steps10", threads=1).model
    executor = Executor(made)
    for image in nets.images(3, seed=5):
        with torch.no_grad():
            mine = next(iter(executor.run(executor.feeds({"image": image})).values())).numpy()
        want = nets.run(made, image)[0]
        assert np.abs(want - mine).mean() <= np.ptp(want) / 255
        assert np.abs(want - mine).max() <= 8 * np.ptp(want) / 255


def test_signs_are_learned_and_stay_signs() -> None:
    source, plain = pair("residual", "w1a8-all")
    made = nets.compressed(source, "w1a8-all+qat-steps60", threads=1)
    assert error(source, made.model) < 0.8 * error(source, plain)
    stored = [
        numpy_helper.to_array(t)
        for t in to_proto(made.model).graph.initializer
        if t.name.endswith("_weight_q")
    ]
    assert stored
    assert all(set(np.unique(w)) == {-1, 1} for w in stored)


@pytest.mark.parametrize(
    ("after", "expected"),
    [([0.9, 0.8, 0.9, 0.8], True), ([0.5, 1.4, 0.6, 1.4], False), ([1.0] * 4, False), ([1.1] * 4, False)],
)
def test_better_is_beyond_a_standard_error(after: list[float], expected: bool) -> None:
    """Fallen by .15 with errors of .03; by .025 with errors of .26."""
    assert better(np.ones(4), np.array(after)) is expected
    assert better(np.ones(1), np.array([0.9]))
    before, after = np.full(16, 0.5), np.full(16, 0.6)
    before[3], after[3] = 8.0, 2.0  # a network that answers one image wildly, and no longer does
    assert (before - after).mean() < (before - after).std(ddof=1) / 4
    assert better(before, after)


def test_what_is_no_better_beyond_chance_is_not_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source, pupil = pair("residual")
    monkeypatch.setattr(import_module("paredown._compress.finetune.trainer"), "better", lambda *_: False)
    learned = distill(pupil, source, nets.feeds, Training(20, rate=0.003))
    assert learned.error == 1.0
    assert all(part == pytest.approx(1.0) for part in learned.parts.values())
    start = Executor(pupil).learned()
    assert all(np.allclose(start[name], got) for name, got in learned.arrays.items())


@pytest.mark.parametrize(
    ("recipe", "learning"), [("w4a8-pc-mse+gptq", "+qat-steps5"), ("cluster-k4", "+distill-steps5")]
)
def test_where_nothing_better_is_found_the_file_stays_as_it_was(
    recipe: str, learning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("paredown._compress.finetune.trainer"), "better", lambda *_: False)
    source = prepare(nets.NETS["residual"]())
    before, made = (nets.compressed(source, r, threads=1) for r in (recipe, recipe + learning))
    graphs = [to_proto(m.model).graph.SerializeToString(deterministic=True) for m in (before, made)]
    assert graphs[0] == graphs[1]
    assert made.log[-1].action == "skipped"
    assert "stays as it was" in made.log[-1].why
