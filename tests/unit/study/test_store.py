"""The study directory: nothing finished is lost, nothing half-written is read, nobody else writes to it."""

import hashlib
import os
import subprocess
import sys

import pytest

import nets
from paredown.errors import StorageError, UsageError
from paredown.measurement import Measurement, Trial
from paredown.study.environments import TrialKey
from paredown.study.store import Store, file_stem, model_of, read_study, read_trials


def trial(recipe, error=None, seed=0):
    return Trial(recipe, recipe, "sha", None, "local", seed, None, error=error)


def test_trials_come_back_in_order_and_after_reopening(tmp_path):
    with Store(tmp_path) as store:
        store.append(trial("a"))
        store.append(trial("b"))
        assert [t.recipe for t in store.trials()] == ["a", "b"]
    with Store(tmp_path) as store:
        assert [t.recipe for t in store.trials()] == ["a", "b"]
        assert store.notes == ()


def test_a_torn_last_line_is_dropped_with_a_note(tmp_path):
    with Store(tmp_path) as store:
        store.append(trial("a"))
        store.append(trial("b"))
    path = tmp_path / "trials.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    assert [t.recipe for t in read_trials(tmp_path)] == ["a"]
    with Store(tmp_path) as store:
        assert "dropped" in store.notes[0]
        store.append(trial("c"))
        assert [t.recipe for t in store.trials()] == ["a", "c"]


def test_a_damaged_line_is_named_and_costs_no_other_trial_its_place(tmp_path):
    with Store(tmp_path) as store:
        store.append(trial("a"))
        store.append(trial("b"))
    path = tmp_path / "trials.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\nrubbish\n\n{second}\n")
    assert [t.recipe for t in read_trials(tmp_path)] == ["a", "b"]
    with Store(tmp_path) as store:
        assert any("line 2 of trials.jsonl cannot be read" in note for note in store.notes)
        assert store.finished(TrialKey("a", "sha", "local", 0))


def test_finished_means_the_same_recipe_source_target_and_seed_without_error(tmp_path):
    with Store(tmp_path) as store:
        store.append(trial("a"))
        store.append(trial("b", error="no"))
        assert store.finished(TrialKey("a", "sha", "local", 0))
        assert store.finished(TrialKey("a", "sha", "local", 1)) is None
        assert store.finished(TrialKey("a", "other", "local", 0)) is None
        assert store.finished(TrialKey("b", "sha", "local", 0)) is None
        store.append(trial("b"))
        assert store.finished(TrialKey("b", "sha", "local", 0))
        assert len(store.trials()) == 2


def test_two_at_once_are_refused_with_the_pid(tmp_path):
    with Store(tmp_path), pytest.raises(StorageError, match=f"in use by pid {os.getpid()}"):
        Store(tmp_path)
    Store(tmp_path).__exit__(None, None, None)


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code = "import sys, os; from pathlib import Path; from paredown.study.store import Store\n"
    code += "s = Store(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    with Store(tmp_path):
        pass


def test_other_settings_in_the_same_directory_are_refused(tmp_path):
    with Store(tmp_path) as store:
        store.settle({"asked": {"model": "m.onnx"}}, {"seed": 0, "model_sha256": "a"})
        store.settle({"asked": {"model": "elsewhere/m.onnx"}}, {"seed": 0, "model_sha256": "a"})
        with pytest.raises(UsageError, match="seed = 1"):
            store.settle({"asked": {}}, {"seed": 1, "model_sha256": "a"})
    assert read_study(tmp_path)["asked"]["model"] == "elsewhere/m.onnx"


def test_a_failed_append_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        store.append(trial("a"))
        before = (tmp_path / "trials.jsonl").read_bytes()

        def full(fd):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("paredown.study.store.os.fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            store.append(trial("b"))
        assert (tmp_path / "trials.jsonl").read_bytes() == before


def test_a_failed_model_leaves_no_file(tmp_path, monkeypatch):
    with Store(tmp_path) as store:

        def full(fd):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("paredown.files.os.fsync", full)
        with pytest.raises(StorageError, match="hint: free some space"):
            store.save_model(b"bytes", "int8")
        assert list((tmp_path / "models").iterdir()) == []


def test_a_directory_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        Store(tmp_path / "file" / "study")


def test_no_study_here_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no study directory"):
        read_study(tmp_path)


def test_file_stems_are_safe():
    assert file_stem("w8a8-pc/../x y").startswith("w8a8-pc_.._x_y-")


def test_file_stems_of_different_names_differ():
    long = "cle+gates+w8a8-pc-mse-guard+gptq+qat-rate0.0001" * 3
    names = [f"{long}-a", f"{long}-b", "a/b", "a_b", "a b", "é", "\ud800", "\ud801", "int8", ""]
    stems = [file_stem(name) for name in names]
    assert len(set(stems)) == len(names)
    assert all(stem.isascii() and len(stem) <= 100 and "/" not in stem for stem in stems)
    assert file_stem("w8a8-pc-mse+bc") == "w8a8-pc-mse+bc"


def measured(sha):
    return Measurement(sha, "local", {}, (), {})


def test_the_model_of_a_trial_is_the_one_that_was_measured(tmp_path):
    data, other = nets.detector().data, nets.detector(13).data
    with Store(tmp_path) as store:
        file = store.save_model(data, "int8")
        sha = hashlib.sha256(data).hexdigest()
        done = Trial("int8", "int8", "sha", file, "local", 0, measured(sha))
        assert model_of(tmp_path, done).data == data
        store.save_model(other, "int8")
        with pytest.raises(StorageError, match="is not the model that was measured as int8"):
            model_of(tmp_path, done)
    with pytest.raises(UsageError, match="it failed"):
        model_of(tmp_path, trial("a", error="no"))
