"""The facts of an emulated machine, as a program there sees them. `python -m paredown.hosts.in_emulator`

/proc/cpuinfo is the emulating machine's own for some processors, so the instruction sets are those that numpy
found by asking the processor itself. It does not look for "i8mm", "avx_vnni" and "amx_int8".
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict, replace

from paredown.hosts.local import LocalHost
from paredown.hosts.told import plain

_NAMES = {  # as numpy spells it -> our word
    "AVX": "avx",
    "AVX2": "avx2",
    "AVX512F": "avx512",
    "AVX512VNNI": "avx512_vnni",
    "ASIMD": "neon",
    "ASIMDHP": "fp16",
    "ASIMDDP": "dotprod",
    "SVE": "sve",
}


def instruction_sets() -> frozenset[str]:
    """Of the processor that this program runs on."""
    found: dict[str, bool] = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    have = {ours for theirs, ours in _NAMES.items() if found.get(theirs)}
    return frozenset(have | ({"vnni"} if "avx512_vnni" in have else set()))


if __name__ == "__main__":
    facts = replace(LocalHost().facts(), instruction_sets=instruction_sets(), tells_instruction_sets=True)
    json.dump(plain(asdict(facts)), sys.stdout)
