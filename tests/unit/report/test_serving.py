"""`paredown report --serve`: the study on loopback, made anew, and nothing beside it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from paredown.errors import UsageError
from paredown.serving import ReportServer

made: list[Path] = []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReportServer]:
    study = tmp_path / "study"
    (study / "models" / "a").mkdir(parents=True)
    (study / "trials.csv").write_text("recipe\n")
    (study / ".secret").write_text("no")
    (tmp_path / "beside.txt").write_text("no")
    (study / "link").symlink_to(tmp_path / "beside.txt")
    made.clear()

    def render(directory: Path) -> str:
        made.append(directory)
        if directory.name == "a":
            raise UsageError("the study in <a> has not begun")
        return f"<html><body>{directory.name}</body></html>"

    with ReportServer(study, render) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server: ReportServer, path: str, host: str = "", method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    assert method == "HEAD" or int(answer.getheader("Content-Length") or -1) == len(body.encode())
    connection.close()
    return answer.status, body


def test_a_page_is_made_again_only_when_there_is_something_new(server: ReportServer) -> None:
    for path in ("/", "/report.html", "/"):
        status, body = get(server, path)
        assert (status, "study<script>" in body) == (200, True)
    assert len(made) == 1
    _, version = get(server, "/version")
    assert version in body
    (server.directory / "models" / "a" / "trials.jsonl").write_text("{}\n")
    assert get(server, "/version")[1] != version
    get(server, "/")
    assert len(made) == 2
    assert get(server, "/models/a/report.html")[1].count("&lt;a> has not begun") == 1
    assert get(server, "/trials.csv") == (200, "recipe\n")
    assert get(server, "/", method="HEAD") == (200, "")


@pytest.mark.parametrize(
    "path",
    ["/../beside.txt", "/%2e%2e/beside.txt", "/link", "/.secret", "/models", "/models/b/", "//etc/passwd"],
)
def test_nothing_beside_the_study_is_served(server: ReportServer, path: str) -> None:
    assert get(server, path)[0] == 404


def test_only_requests_that_name_this_machine_are_answered(server: ReportServer) -> None:
    assert get(server, "/", host="evil.example:80")[0] == 403
    assert get(server, "/", host=f"localhost:{server.server_port}")[0] == 200
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(UsageError, match="cannot be listened on"):
        ReportServer(server.directory, str, server.server_port)
