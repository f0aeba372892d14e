"""Boards behind a real sshd on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paredown.hosts import board_link
from paredown.hosts.ssh_connection import CONFIG
from paredown.hosts.wheels import FOLDER
from sshd import Board, make_board


@pytest.fixture
def new_board(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """One that was never contacted, and no link to an earlier one."""
    made = make_board(tmp_path_factory.mktemp("board"))
    monkeypatch.setenv(CONFIG, str(made.ssh_config))
    monkeypatch.delenv(FOLDER, raising=False)
    board_link._link_to.cache_clear()
    yield made
    board_link.close_links()
    made.stop()


@pytest.fixture
def board(new_board: Board) -> Board:
    """One that was contacted before."""
    new_board.lay_out("onnxruntime")
    return new_board


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A model of one Relu: x (1, 4) -> y."""
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "tiny", values[:1], values[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(proto.SerializeToString())
    return path
