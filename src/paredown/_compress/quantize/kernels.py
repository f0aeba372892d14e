"""Whether the integer kernels of a device are those that our steps write for: else the step is refused."""

from __future__ import annotations

from paredown._compress.recipe import Context
from paredown.errors import UsageError


def require_kernels(context: Context, step: str, *, per_channel: bool) -> None:
    """Nothing, or UsageError: a step that would write what the profile says is slow or absent there.

    Every step that computes in integers writes uint8 activations and int8 weights, the fast ones of ONNX
    Runtime on x86 and right on ARM; a profile that wants others needs a step that writes them.
    """
    profile = context.profile
    if profile.activations != "uint8" or profile.weights != "int8":
        raise UsageError(
            f"step {step!r} cannot be made for {profile.name!r}",
            got=f"{profile.activations} activations, {profile.weights} weights",
            expected="uint8 activations, int8 weights",
            hint="weight-only recipes (w8) compute in float and run anywhere",
        )
    if per_channel and not profile.per_channel:
        raise UsageError(
            f"step {step!r} has a weight scale per channel, which {profile.name!r} cannot compute with",
            hint="take a recipe with one scale per tensor: w8a8-pt, ort-static-pt",
        )
