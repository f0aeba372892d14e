"""The `.pdz` file: an ONNX file in fewer bytes, from which exactly that file comes back.

Every large tensor of the ONNX file becomes a DEFLATE stream of its own, all that stands around them another,
each with the strategy that makes it smallest; for indices of codebooks and for sparse weights that is
canonical Huffman coding of bytes (a byte holds two 4-bit indices, coded together), with or without runs.
Tensors of several bytes an element are first laid out plane by plane: all first bytes, all second ones.

All numbers are little endian. After the magic bytes:

    offset  bytes  what
    0       4      "PDZ1"
    4       32     SHA-256 of the ONNX file
    36      8      size of the ONNX file
    44      4      number of tensors, T
    48      4      packed size of what stands around them
    52      4      its size
    56      13 T   for every tensor: bytes of the rest in front of it (4), packed size (4), size (4), bytes of
                   an element (1)
    ...     ...    the packed rest, then the packed tensors, to the end of the file

Source: Han et al. 2016, "Deep Compression", arXiv 1510.00149, section 4 (Huffman coding); Deutsch 1996,
RFC 1951 (DEFLATE).
Differs from the source: the Huffman coder is DEFLATE's, from the standard library; how near to the entropy
it comes, and how fast it is: benchmarks/deep.py.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import onnx

from paredown.errors import ModelError
from paredown.graph.load import MAX_BYTES, parse, refuse_no_file

MAGIC = b"PDZ1"
HEAD = struct.Struct("<4s32sQIII")
PIECE = struct.Struct("<IIIB")
WIDTHS = (1, 2, 4, 8)  # bytes of an element
MAX_PIECES = 1 << 16
MAX_PIECE = 1 << 26  # bytes of a tensor's part: a few of them are held at a time
MAX_REST = 1 << 28  # bytes of what stands around the tensors
MOST = 1040  # times that DEFLATE can make anything larger; RFC 1951 gives 258 bytes for 2 bits
WORTH = 4096  # bytes: smaller tensors stay with the text around them
MEMORY = 9  # of the coder: as much as it takes, so that its blocks are long
_STRATEGIES = (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FILTERED, zlib.Z_DEFAULT_STRATEGY)


class _Piece(NamedTuple):
    gap: int  # bytes of the rest in front of it
    packed: int
    size: int
    width: int


def pack(data: bytes) -> bytes:
    """The `.pdz` of an ONNX file.

    Raises: ModelError where the data is none, is over 2 GiB, or keeps its weights in another file.
    """
    table, rest, streams = b"", b"", [b""]
    at = 0
    for start, end, width in _tensors(data):
        width, stream = _smallest(data[start:end], width)
        table += PIECE.pack(start - at, len(stream), end - start, width)
        rest += data[at:start]
        streams.append(stream)
        at = end
    rest += data[at:]
    if len(rest) > MAX_REST:
        raise ModelError(
            "the file keeps too much outside of its large tensors",
            got=f"{len(rest) / 1e6:.0f} MB",
            expected=f"at most {MAX_REST / 1e6:.0f} MB",
            hint="save it with its weights as raw data (onnx.save does)",
        )
    streams[0] = _smallest(rest, 1)[1]
    sha256 = hashlib.sha256(data).digest()
    head = HEAD.pack(MAGIC, sha256, len(data), len(streams) - 1, len(streams[0]), len(rest))
    return b"".join([head, table, *streams])


def unpack(packed: bytes) -> bytes:
    """The ONNX file in a `.pdz`, checked by its SHA-256.

    Nothing in the file is trusted: sizes are bounded before anything is allocated, a stream may not give more
    or less than its table says, and what comes out is kept only once its SHA-256 is known to be right.

    Raises: ModelError where the file is no `.pdz`, cut short, or damaged.
    """
    return _unpack(BytesIO(packed), len(packed))


def unpack_file(path: Path) -> bytes:
    """The same for a file, of which no more than one stream is held at a time. Raises ModelError."""
    refuse_no_file(path)
    try:
        with path.open("rb") as file:
            return _unpack(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise ModelError(f"cannot read {path}", got=error.strerror) from error


def _unpack(file: BinaryIO, length: int) -> bytes:
    sha256, size, rest, pieces, begin = _read_head(file, length)
    found = hashlib.sha256()
    for part in _parts(file, rest, pieces, begin):
        found.update(part)
    if found.digest() != sha256:
        raise _damaged("the file that comes out is not the one that was packed")
    made = bytearray(size)  # only now: a file made by a stranger may ask for gigabytes of zeros
    at = 0
    for part in _parts(file, rest, pieces, begin):
        made[at : at + len(part)] = part
        at += len(part)
    return bytes(made)


def _parts(file: BinaryIO, rest_piece: _Piece, pieces: Sequence[_Piece], begin: int) -> Iterator[bytes]:
    """The ONNX file, part by part."""
    file.seek(begin)
    rest = _inflate(file.read(rest_piece.packed), rest_piece)
    done = 0
    for piece in pieces:
        yield rest[done : done + piece.gap]
        yield _inflate(file.read(piece.packed), piece)
        done += piece.gap
    yield rest[done:]


def is_packed(data: bytes) -> bool:
    """True where the bytes begin as a `.pdz` does."""
    return data.startswith(MAGIC)


def _read_head(file: BinaryIO, length: int) -> tuple[bytes, int, _Piece, list[_Piece], int]:
    """SHA-256 and size of the model, the rest, the tensors, and where the first stream begins."""
    head = file.read(HEAD.size)
    if not is_packed(head):
        got = f"{length:,} bytes that begin otherwise"
        raise ModelError("this is no .pdz file", got=got, expected="PDZ1")
    if len(head) < HEAD.size:
        raise _damaged(f"cut short: {length} bytes")
    _, sha256, size, count, rest_packed, rest_size = HEAD.unpack(head)
    begin = HEAD.size + count * PIECE.size
    if count > MAX_PIECES or begin > length:
        raise _damaged(f"{count} tensors do not fit into {length} bytes")
    pieces = [_Piece._make(numbers) for numbers in PIECE.iter_unpack(file.read(begin - HEAD.size))]
    rest = _Piece(0, rest_packed, rest_size, 1)
    if size > MAX_BYTES or rest.size + sum(p.size for p in pieces) != size:
        raise _damaged("the tensors and the rest do not add up to the size of the model")
    if rest.packed + sum(p.packed for p in pieces) != length - begin:
        raise _damaged("the streams do not add up to the size of the file: cut short, or something behind it")
    if sum(p.gap for p in pieces) > rest.size:
        raise _damaged("the tensors stand beyond the end of the model")
    for piece, most in ((rest, MAX_REST), *((p, MAX_PIECE) for p in pieces)):
        fits = piece.width in WIDTHS and piece.size % piece.width == 0
        fits = fits and 0 < piece.size <= min(most, MOST * piece.packed)
        if not fits or piece.packed > piece.size + piece.size // 100 + 1024:  # DEFLATE adds less
            raise _damaged("a stream of impossible size")
    return sha256, size, rest, pieces, begin


def _inflate(stream: bytes, piece: _Piece) -> bytes:
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        made = decoder.decompress(stream, piece.size + 1)
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if len(made) != piece.size or not decoder.eof or decoder.unused_data:
        raise _damaged("a stream gives another size than it says")
    return made if piece.width == 1 else _planes(made, len(made) // piece.width)


def _planes(data: bytes, columns: int) -> bytes:
    """The bytes of a matrix of so many columns, column by column."""
    return np.frombuffer(data, np.uint8).reshape(-1, columns).T.tobytes()


def _smallest(data: bytes, width: int) -> tuple[int, bytes]:
    """The shortest stream, and the bytes of an element that it was laid out for."""
    forms = {1: data}
    if width > 1:
        forms[width] = _planes(data, width)
    found = [(w, _deflate(form, strategy)) for w, form in forms.items() for strategy in _STRATEGIES]
    return min(found, key=lambda pair: len(pair[1]))


def _deflate(data: bytes, strategy: int) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, MEMORY, strategy)
    return coder.compress(data) + coder.flush()


def _tensors(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Where the large tensors stand, in rising order."""
    at = 0
    for tensor in parse(data, "the file to pack").graph.initializer:
        raw = tensor.raw_data
        if len(raw) < WORTH:
            continue
        start = data.find(raw, at)
        if start < 0:
            continue  # the file keeps its tensors in another order: what is not found goes with the rest
        at = start + len(raw)
        width = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        for begin in range(start, at, MAX_PIECE):
            yield begin, min(begin + MAX_PIECE, at), width if width in WIDTHS and len(raw) % width == 0 else 1


def _damaged(what: str) -> ModelError:
    return ModelError("the .pdz file is damaged", got=what, hint="fetch or pack it again")
