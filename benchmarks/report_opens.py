"""How long the report over five models with two hundred trials takes to open in headless Chromium.

    python benchmarks/report_opens.py [--rounds 5]    # writes results/report_opens.json

The trials are made up (tests/unit/report/made_up_stories.py); the page is the one that `paredown study`
writes. The clock runs from the start of the navigation, by the browser's own `performance.now()`, until
every plot is drawn and two frames have been painted; the page tells it to a server on loopback.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from statistics import median
from threading import Thread

from common import RESULTS, command, machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/unit/report"))
from made_up_stories import stories

from paredown._measure.environment import environment
from paredown._report.several.page import write_index_pages
from paredown.hosts import open_host

BAR_S = 2.0
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
CLOCK = """<script>
(function () {
  const told = () => {
    const plots = [...document.querySelectorAll(".plot")];
    if (plots.every(p => p.querySelector(".main-svg"))) {
      requestAnimationFrame(() => requestAnimationFrame(() => {
        new Image().src = "ADDRESS/" + Math.round(performance.now());
      }));
    } else setTimeout(told, 5);
  };
  addEventListener("load", told);
})();
</script></body>"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = write_index_pages(stories(40, 5), Path(folder))
        size = page.stat().st_size
        with Clock() as clock:
            page.write_text(page.read_text().replace("</body>", CLOCK.replace("ADDRESS", clock.address)))
            seconds = [opened(page, Path(folder) / f"profile{i}", clock) for i in range(args.rounds)]
    result = {
        "command": command(sys.argv),
        "machine": machine(environment(open_host(), 1)),
        "date": date.today().isoformat(),
        "trials": 200,
        "models": 5,
        "bytes": size,
        "seconds": seconds,
        "median_s": median(seconds),
    }
    (RESULTS / "report_opens.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return int(not result["median_s"] < BAR_S)


class Clock(HTTPServer):
    """Takes the milliseconds that a page asks for as a path."""

    def __init__(self) -> None:
        self.told: Queue[float] = Queue()
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Clock

    def do_GET(self) -> None:
        self.server.told.put(float(self.path.lstrip("/")) / 1e3)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: only the result is printed."""


def opened(page: Path, profile: Path, clock: Clock) -> float:
    """Seconds until everything is drawn, in a browser that was just started."""
    browser = next(p for name in ("chromium", "google-chrome") if (p := shutil.which(name)))
    words = [browser, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", page.as_uri()]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return clock.told.get(timeout=60)
    finally:
        running.terminate()
        running.wait(20)


if __name__ == "__main__":
    sys.exit(main())
