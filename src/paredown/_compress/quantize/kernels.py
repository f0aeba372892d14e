"""Whether the integer kernels of a device are those that our steps write for: else the step is refused."""

from __future__ import annotations

from paredown._compress.recipe import Context
from paredown.errors import UsageError
from paredown.policy import possible_instead


def require_kernels(context: Context, step: str, *, per_channel: bool, signed: bool = False) -> None:
    """Nothing, or UsageError: a step that would write what the policy says is slow or absent there.

    signed: whether the step can write int8 activations, symmetric ones. All write uint8 activations, the fast
    ones of ONNX Runtime on x86 and right on ARM, and int8 weights; a runtime that wants others needs a step
    that writes them.
    """
    policy, name = context.policy, context.device.name
    written = ("uint8", "int8") if signed else ("uint8",)
    if policy.activations not in written or policy.weights != "int8":
        floats = "weight-only recipes (w8) compute in float"
        raise UsageError(
            f"step {step!r} cannot be made for {policy.name} on {name!r}",
            got=f"{policy.activations} activations, {policy.weights} weights",
            expected=f"{' or '.join(written)} activations, int8 weights",
            hint=possible_instead(policy) if policy.weights == "int8" else floats,
        )
    if per_channel and not policy.per_channel:
        raise UsageError(
            f"step {step!r} has a weight scale per channel, which {name!r} cannot compute with",
            hint="take a recipe with one scale per tensor: w8a8-pt, ort-static-pt",
        )
