"""The report of a study served on this machine alone, made anew whenever there is something new to tell.

A page asks now and then for `/version` and loads itself again where that changed. Only the loopback interface
is listened on, and only requests that name it are answered: no page of the web reaches a study through a name
that leads here.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import unquote, urlsplit

from paredown.errors import ParedownError, UsageError
from paredown.printable import printable
from paredown.study.fingerprints import digest

ADDRESS = "127.0.0.1"
PAGE = "report.html"
SECONDS_BETWEEN = 5
_TOLD = ("trials.jsonl", "facts.json", "index.json", "study.toml")
_RELOAD = f"""<script>
(() => {{
  const version = "VERSION";
  setInterval(async () => {{
    try {{
      const found = await fetch("/version", {{cache: "no-store"}});
      if (found.ok && (await found.text()) !== version) location.reload();
    }} catch {{ /* the command has ended: the page stays as it is */ }}
  }}, {SECONDS_BETWEEN * 1000});
}})();
</script>"""

Render = Callable[[Path], str]
"""render(directory of a study) -> its page as HTML. Raises ParedownError where it has not begun."""


class ReportServer(ThreadingHTTPServer):
    """Serves the study in a directory. port: 0 for one that is free. Raises UsageError where it is taken."""

    daemon_threads = True

    def __init__(self, directory: Path, render: Render, port: int = 0) -> None:
        self.directory, self._render = directory.resolve(), render
        self._made: dict[str, tuple[str, bytes]] = {}
        self._lock = Lock()  # a page is made once, however many ask for it
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as e:
            raise UsageError(f"port {port} cannot be listened on", got=e.strerror, hint="--port 0") from e

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def version(self) -> str:
        """Another text whenever there is something new to tell."""
        files = [self.directory / name for name in _TOLD]
        files += [f for name in _TOLD for f in self.directory.glob(f"models/*/{name}")]
        return digest(tuple(f"{f} {f.stat().st_mtime_ns} {f.stat().st_size}" for f in files if f.is_file()))

    def page(self, folder: str) -> bytes:
        """The page of the study, or of the part in `folder` of it."""
        version = self.version()
        with self._lock:
            kept = self._made.get(folder)
            if kept is None or kept[0] != version:
                html = self._page(self.directory / folder)
                html = html.replace("</body>", _RELOAD.replace("VERSION", version) + "</body>")
                kept = self._made[folder] = version, html.encode()
        return kept[1]

    def _page(self, directory: Path) -> str:
        try:
            return self._render(directory)
        except ParedownError as e:
            text = printable(e.what).replace("&", "&amp;").replace("<", "&lt;")
            return f'<!doctype html><html lang="en"><meta charset="utf-8"><body><p>{text}</p></body></html>'

    def inside(self, path: str) -> Path | None:
        """What a path names in the study; None where it leads out of it, by a link too."""
        found = Path(os.path.realpath(self.directory / path))
        hidden = any(part.startswith(".") for part in Path(path).parts)
        return found if found.is_relative_to(self.directory) and not hidden else None


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds that an idle connection is kept

    def do_GET(self) -> None:
        if self.headers.get("Host", "").rpartition(":")[0] not in (ADDRESS, "localhost"):
            self._send(HTTPStatus.FORBIDDEN, b"only for this machine\n", "text/plain")
            return
        path = unquote(urlsplit(self.path).path).lstrip("/")
        folder, _, name = path.rpartition("/")
        file, of = self.server.inside(path), self.server.inside(folder)
        if path == "version":
            self._send(HTTPStatus.OK, self.server.version().encode(), "text/plain")
        elif name in ("", PAGE) and of is not None and of.is_dir():
            self._send(HTTPStatus.OK, self.server.page(folder), "text/html; charset=utf-8")
        elif file is not None and file.is_file():
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self._send(HTTPStatus.OK, file.read_bytes(), kind)
        else:
            self._send(HTTPStatus.NOT_FOUND, b"there is no such file in this study\n", "text/plain")

    do_HEAD = do_GET

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for every look would bury what the terminal says."""
