"""Facts of this machine's processor that decide which integer kernels run, read without any package.

Other systems than Linux tell less; what is not known is left out, never guessed.
"""

from __future__ import annotations

import platform
from functools import cache

from paredown.cores import read_text

_FLAGS = {  # as /proc/cpuinfo spells it -> our word
    "avx": "avx",
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx512_vnni": "avx512_vnni",
    "avx_vnni": "avx_vnni",
    "amx_int8": "amx_int8",
    "asimd": "neon",
    "asimdhp": "fp16",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "sve": "sve",
}


@cache
def arch() -> str:
    """ "x86_64" or "aarch64" where the system says AMD64 or arm64, else the system's own word."""
    word = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(word, word)


@cache
def features() -> frozenset[str]:
    """The instruction sets that matter to integer kernels; "vnni" stands for either x86 form of it."""
    found = {ours for theirs, ours in _FLAGS.items() if theirs in _cpuinfo_flags()}
    if found & {"avx512_vnni", "avx_vnni"}:
        found.add("vnni")
    if arch() == "aarch64":
        found.add("neon")  # every 64-bit ARM has it
    return frozenset(found)


@cache
def model_name() -> str:
    """The processor as it names itself, "" where it does not."""
    fields = _cpuinfo_fields()
    for key in ("model name", "Model", "Hardware"):
        if fields.get(key):
            return fields[key]
    return platform.processor()


@cache
def board_name() -> str:
    """The machine's own name ("Raspberry Pi 5 Model B Rev 1.0"), "" where it has none."""
    return read_text("/proc/device-tree/model") or read_text("/sys/class/dmi/id/product_name") or ""


@cache
def features_known() -> bool:
    """Whether this system tells its instruction sets at all."""
    return bool(_cpuinfo_flags())


def saturates() -> bool:
    """Whether sums of 8-bit products are cut off at 16 bits: x86 without VNNI, or x86 that tells nothing."""
    return arch() == "x86_64" and "vnni" not in features()


@cache
def _cpuinfo_fields() -> dict[str, str]:
    lines = (read_text("/proc/cpuinfo") or "").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    fields: dict[str, str] = {}
    for key, _, value in pairs:
        fields.setdefault(key.strip(), value.strip())
    return fields


def _cpuinfo_flags() -> frozenset[str]:
    fields = _cpuinfo_fields()
    return frozenset((fields.get("flags") or fields.get("Features") or "").split())
