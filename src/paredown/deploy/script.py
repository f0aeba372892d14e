"""The text of a bundle's `detect.py`, which opens the model as it was measured."""

from __future__ import annotations

from collections.abc import Mapping

from paredown._measure.environment import saturated, threads_set
from paredown.deploy.single_file import single_file
from paredown.device import Device
from paredown.families import FAMILIES
from paredown.no_telemetry import OPT_OUTS, UNLOADED
from paredown.protocols import Shipping
from paredown.runtimes import runtime as find_runtime

HEAD = """Runs the model of this folder on images, videos and cameras. See README.md.

Made by Paredown (Apache-2.0) out of its own sources: what runs here is the code that was measured.
Needs Python 3.11 or newer, numpy, {package} and opencv-python-headless.
"""
TAIL = """OPENING = Opening(
    {opener},
    names={names!r},
    package={package!r},
    threads={threads},
    saturated={saturated},
    exact_products={exact_products},
    classes={classes!a},
)

if __name__ == "__main__":
    raise SystemExit(main(decode, read_complete_card, OPENING))
"""
_CUTS_OFF = Device("any", "sums of 8-bit products are cut off", arch="x86_64", saturates=True)


def detect_script(
    family: str,
    runtime: str = "onnxruntime",
    surroundings: Mapping[str, object] | None = None,
    *,
    integers: bool = True,
    classes: tuple[str, ...] = (),
) -> str:
    """The text of `detect.py` for a model of this family.

    surroundings: the environment that the model was measured in, where it was. integers: whether anything of
    it is computed in integers. classes: names of those that it was judged on; empty for all.
    """
    there = surroundings or {}
    ships = find_runtime(runtime).SHIPS
    roots = [
        (f"paredown.families.{getattr(FAMILIES[family], 'ON_DEVICE', family)}", "decode"),
        ("paredown.deploy.device_card", "read_complete_card"),
        (ships.module, ships.opener),
        ("paredown.deploy.detect_main", "main"),
    ]
    tail = TAIL.format(
        opener=ships.opener,
        names=ships.names,
        package=ships.package,
        threads=threads_set(there),
        saturated=saturated(there) or not (integers and _hangs_on_sums(runtime)),
        exact_products=ships.exact_products,
        classes=classes,
    )
    return single_file(roots, head=HEAD.format(package=ships.package), first=_first(ships), tail=tail)


def _hangs_on_sums(runtime: str) -> bool:
    """Whether integers come out otherwise in this runtime on a CPU that cuts off sums of 8-bit products."""
    return find_runtime(runtime).policy(_CUTS_OFF).weight_bits < 8


def _first(ships: Shipping) -> str:
    """Lines that switch telemetry off before the runtime is loaded."""
    switches = [f'os.environ["{k}"] = "{v}"' for k, v in OPT_OUTS.get(ships.package, {}).items()]
    unloaded = [f'sys.modules["{name}"] = None' for name in UNLOADED.get(ships.package, ())]
    if not switches + unloaded:
        return ""
    used = [*(["import os"] if switches else []), *(["import sys"] if unloaded else [])]
    why = "# nothing phones home; works before the runtime is loaded"
    return "\n".join([*used, "", why, *switches, *unloaded])
