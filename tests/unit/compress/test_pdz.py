"""The packed file: it comes back to the byte, and nothing in a stranger's file is believed."""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
import pytest

import nets
from paredown._compress.pack import pdz
from paredown.cli import main
from paredown.errors import ModelError
from paredown.graph.prepare import prepare
from paredown.model import Model


def wide() -> Model:
    """A network with tensors large enough to be packed apart."""
    net = nets.Net(seed=7)
    x = net.node("Relu", net.conv("image", 3, 32, stride=2))
    return prepare(net.model(net.conv(net.node("Relu", net.conv(x, 32, 32)), 32, 4, 1)))


@pytest.mark.parametrize("recipe", ["float", "sparse80", "cluster", "sparse60+cluster", "int8", "int4"])
def test_the_very_file_comes_back(recipe: str) -> None:
    data = wide().data if recipe == "float" else nets.compressed(wide(), recipe).model.data
    packed = pdz.pack(data)
    assert pdz.unpack(packed) == data
    assert len(packed) < len(data)


def test_zeros_and_codebooks_pack_small() -> None:
    source = wide()
    sizes = {
        r: len(pdz.pack(nets.compressed(source, r).model.data)) for r in ("sparse70", "sparse70+cluster")
    }
    assert sizes["sparse70"] < 0.55 * source.size_bytes
    assert sizes["sparse70+cluster"] < 0.25 * source.size_bytes


def test_elements_are_laid_out_plane_by_plane() -> None:
    """Two elements of four bytes: all first bytes, then all second ones, and back."""
    assert pdz._planes(b"abcdABCD", 4) == b"aAbBcCdD"
    assert pdz._planes(b"aAbBcCdD", 2) == b"abcdABCD"


def test_the_bytes_of_the_file_are_as_documented() -> None:
    data = wide().data
    packed = pdz.pack(data)
    assert packed[:4] == b"PDZ1"
    assert packed[4:36] == hashlib.sha256(data).digest()
    assert int.from_bytes(packed[36:44], "little") == len(data)
    count, stored, rest = (int.from_bytes(packed[a : a + 4], "little") for a in (44, 48, 52))
    table = [packed[56 + 13 * i : 69 + 13 * i] for i in range(count)]
    numbers = [[int.from_bytes(r[a : a + 4], "little") for a in (0, 4, 8)] for r in table]
    assert count == 1  # the tensors of the ends are small
    assert rest + sum(size for _, _, size in numbers) == len(data)
    begin = 56 + 13 * count
    assert begin + stored + sum(kept for _, kept, _ in numbers) == len(packed)
    gap, _, size = numbers[0]
    text = zlib.decompress(packed[begin : begin + stored], -15)
    assert text == data[:gap] + data[gap + size :]
    assert table[0][12] in (1, 4)


@pytest.mark.parametrize("keep", [0, 3, 4, 40, 47, 60, -1])
def test_a_file_cut_short_is_refused(keep: int) -> None:
    with pytest.raises(ModelError, match=r"damaged|no \.pdz"):
        pdz.unpack(pdz.pack(wide().data)[:keep])


def test_something_behind_the_end_is_refused() -> None:
    with pytest.raises(ModelError, match="damaged"):
        pdz.unpack(pdz.pack(wide().data) + b"\0")


def test_another_file_under_the_same_sum_is_refused() -> None:
    packed = bytearray(pdz.pack(wide().data))
    packed[10] ^= 1
    with pytest.raises(ModelError, match="not the one that was packed"):
        pdz.unpack(bytes(packed))


def forged(size: int, *pieces: tuple[int, int, int, int], streams: bytes = b"") -> bytes:
    """A file whose table says what it likes; the first piece is the rest."""
    (_, packed, rest, _), *others = pieces
    table = b"".join(pdz.PIECE.pack(*p) for p in others)
    return pdz.HEAD.pack(pdz.MAGIC, bytes(32), size, len(others), packed, rest) + table + streams


BOMB = zlib.compressobj(9, zlib.DEFLATED, -15)
MILLION = BOMB.compress(bytes(10**6)) + BOMB.flush()


@pytest.mark.parametrize(
    "file",
    [
        forged(2**62, (0, 4, 2**31, 1), streams=b"abcd"),
        forged(2**20, (0, 4, 2**20, 1), streams=b"abcd"),  # four bytes cannot become a million
        forged(1000, (0, len(MILLION), 1000, 1), streams=MILLION),  # gives more than it says
        forged(2 * 10**6, (0, len(MILLION), 2 * 10**6, 1), streams=MILLION),  # gives less
        forged(12, (0, 4, 4, 1), (0, 4, 8, 3), streams=b"abcdabcd"),  # no such element
        forged(11, (0, 4, 4, 1), (0, 4, 7, 2), streams=b"abcdabcd"),  # half an element
        forged(12, (0, 4, 4, 1), (5, 4, 8, 1), streams=b"abcdabcd"),  # beyond the end
        forged(0, (0, 4, 0, 1), streams=b"abcd"),
        pdz.HEAD.pack(pdz.MAGIC, bytes(32), 10, 2**32 - 1, 1, 1),
    ],
)
def test_sizes_are_not_believed(file: bytes) -> None:
    with pytest.raises(ModelError, match="damaged"):
        pdz.unpack(file)


def test_what_is_no_model_is_not_packed() -> None:
    with pytest.raises(ModelError):
        pdz.pack(b"no model at all")


def test_the_commands(tmp_path, capsys) -> None:
    source, packed = tmp_path / "model.onnx", tmp_path / "model.pdz"
    source.write_bytes(wide().data)
    assert main(["pack", str(source)]) == 0
    assert "times smaller" in capsys.readouterr().out
    assert main(["unpack", str(packed)]) == 2  # model.onnx is there
    again = tmp_path / "again.onnx"
    assert main(["unpack", str(packed), "--out", str(again)]) == 0
    assert again.read_bytes() == source.read_bytes()
    packed.write_bytes(packed.read_bytes()[:-1])
    again.unlink()
    assert main(["unpack", str(packed), "--out", str(again)]) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.pdz"]


def test_random_bytes_of_every_width_come_back() -> None:
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float16, np.int8, np.int64):
        net = nets.Net()
        big = net.constant((rng.normal(size=5000) * 3).astype(dtype))
        seen = net.node("Cast", net.node("ReduceMax", net.node("Cast", big, to=1)), to=1)
        data = net.model(net.node("Add", "image", seen)).data
        assert pdz.unpack(pdz.pack(data)) == data
