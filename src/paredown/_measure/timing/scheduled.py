"""The measured process under another scheduling: `python -m paredown._measure.timing.scheduled '{...}'`.

{"cores": [2, 3]} keeps it to these, {"nice": -10} raises its priority, {"fifo": 10} makes it a real-time
process of that priority. Then it is `worker.py`; threads that a runtime starts inherit it. Where it is not
permitted it answers with an error, in the worker's protocol.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from paredown._measure.timing import worker


def main(wanted: dict[str, Any]) -> None:
    """Change the scheduling of this process, then serve."""
    try:
        if cores := wanted.get("cores"):
            os.sched_setaffinity(0, cores)
        if nice := wanted.get("nice"):
            os.setpriority(os.PRIO_PROCESS, 0, nice)
        if fifo := wanted.get("fifo"):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(fifo))
    except (OSError, AttributeError) as e:
        error = {"error": "TargetError", "what": "not permitted", "got": str(e)}
        sys.stdout.write(json.dumps(error) + "\n")
        return
    worker.main()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
