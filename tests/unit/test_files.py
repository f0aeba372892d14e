"""No path is written that holds anything but a plain file of ours; what stands there stays as it was."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from paredown.errors import StorageError, UsageError
from paredown.files import (
    Layout,
    check_directory,
    check_named,
    check_plain,
    make_directory,
    write_named,
    write_whole,
)

PLACE = Layout("a nest", ("eggs.txt", "twigs.txt"), ("lock", "learning-*.pt"))


def put_link(path):
    (path.parent / "target").write_bytes(b"kept")
    path.symlink_to(path.parent / "target")


def put_dangling_link(path):
    path.symlink_to(path.parent / "nowhere")


def put_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket has at most 107 characters
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def put_device(path):
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))  # what /dev/null is
    except PermissionError:
        pytest.skip("only root makes device nodes")


KINDS = {
    "link": put_link,
    "dangling link": put_dangling_link,
    "pipe": os.mkfifo,
    "socket": put_socket,
    "directory": os.mkdir,
    "device": put_device,
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused_and_left(kind, force, tmp_path):
    path = tmp_path / "out.json"
    KINDS[kind](path)
    before = path.lstat()
    for attempt in (
        lambda: write_named(path, b"new", force=force),
        lambda: check_named(path, force=force),
        lambda: write_whole(path, b"new"),
        lambda: check_plain(path),
    ):
        with pytest.raises(StorageError, match=r"cannot write .*: it is"):
            attempt()
    now = path.lstat()
    assert (now.st_mode, now.st_ino) == (before.st_mode, before.st_ino)
    assert {p.name for p in tmp_path.iterdir()} <= {"out.json", "target"}
    if kind == "link":
        assert (tmp_path / "target").read_bytes() == b"kept"


def test_a_file_is_replaced_only_with_force(tmp_path):
    path = tmp_path / "m.json"
    write_named(path, b"first", force=False)
    with pytest.raises(UsageError, match="--force"):
        write_named(path, b"second", force=False)
    assert path.read_bytes() == b"first"
    write_named(path, b"second", force=True)
    assert path.read_bytes() == b"second"
    assert [p.name for p in tmp_path.iterdir()] == ["m.json"]


def test_a_file_that_comes_while_writing_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "m.json"
    real = os.fsync
    monkeypatch.setattr("paredown.files.os.fsync", lambda fd: (path.write_bytes(b"theirs"), real(fd)))
    with pytest.raises(UsageError, match="is there already"):
        write_named(path, b"ours", force=False)
    assert path.read_bytes() == b"theirs"


def test_of_many_writers_one_wins(tmp_path):
    path, won = tmp_path / "m", []

    def write(text):
        try:
            write_named(path, text, force=False)
            won.append(text)
        except UsageError:
            pass

    threads = [threading.Thread(target=write, args=(bytes([65 + i]) * 1000,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert path.read_bytes() == won[0]


def test_without_hard_links_the_file_is_renamed(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("paredown.files.os.link", refuse)
    write_named(tmp_path / "m", b"x", force=False)
    assert (tmp_path / "m").read_bytes() == b"x"


def test_folders_above_may_be_links(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_named(tmp_path / "link" / "m", b"x", force=False)
    make_directory(tmp_path / "link" / "study")
    assert {p.name for p in (tmp_path / "real").iterdir()} == {"m", "study"}


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "directory"])
def test_no_directory_where_something_else_stands(kind, tmp_path):
    path = tmp_path / "out"
    KINDS[kind](path)
    for attempt in (lambda: make_directory(path), lambda: check_directory(path, PLACE, force=True)):
        with pytest.raises(StorageError, match=r"cannot write into .*: it is"):
            attempt()


def test_a_link_to_a_directory_names_where_it_leads(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(StorageError, match=str(tmp_path / "real")):
        check_directory(tmp_path / "link", PLACE, force=False)


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        ((), True),
        (("eggs.txt", "twigs.txt", "anything"), True),
        (("lock", "learning-0a.pt", ".0123.part"), True),
        (("eggs.txt",), False),  # one mark alone may be the user's own file
        (("model.onnx",), False),
        (("lock", "thesis.tex"), False),
    ],
)
def test_which_directory_is_ours(names, ours, tmp_path):
    for name in names:
        (tmp_path / name).write_bytes(b"")
    if ours:
        check_directory(tmp_path, PLACE, force=False)
    else:
        with pytest.raises(UsageError, match="not empty, and not a nest"):
            check_directory(tmp_path, PLACE, force=False)
    check_directory(tmp_path, PLACE, force=True)
