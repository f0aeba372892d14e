"""Energy without a sensor, from a model of the machine, and what accuracy is had for a joule."""

from __future__ import annotations

from collections.abc import Sequence

from paredown.agreement import is_agreement
from paredown.measurement import Quantity, Readings
from paredown.metrics import headlines
from paredown.quantities import How


def estimated_energy(timed: Sequence[Quantity], model: Sequence[float], cores: int) -> Readings:
    """Power and energy by a straight line between rest and all cores at work, all of it `estimated`.

    timed: the latency and processor use of the model. model: watts at rest and with all cores busy. cores: of
    the machine. Clock rates, memory and what else draws power are not in it.

    Source: X. Fan, W.-D. Weber, L. A. Barroso, Power provisioning for a warehouse-sized computer, ISCA 2007,
    section 3 (power is linear in processor use).
    """
    found = {q.name: q for q in timed}
    latency, cpu, (idle_w, busy_w) = found["latency_s"], found["cpu_percent"], model
    dynamic_w = (busy_w - idle_w) * min(1.0, cpu.value / (100 * cores))
    used = f"{cpu.value:.0f} % of {100 * cores} % in use"
    how = f"the power model: {idle_w:g} W at rest, {busy_w:g} W busy, {used}"

    def energy(name: str, watts: float) -> Quantity:
        low, high = (None if end is None else end * watts for end in (latency.low, latency.high))
        samples = tuple(s * watts for s in latency.samples)
        return Quantity.listed(
            name, latency.value * watts, how="estimated", samples=samples, low=low, high=high, ci=how
        )

    quantities = [
        Quantity.listed("idle_power_w", idle_w, how="estimated", ci=how),
        Quantity.listed("loaded_power_w", idle_w + dynamic_w, how="estimated", ci=how),
        Quantity.listed("dynamic_power_w", dynamic_w, how="estimated", ci=how),
        energy("energy_j", idle_w + dynamic_w),
        energy("dynamic_energy_j", dynamic_w),
    ]
    return Readings(tuple(quantities))


def accuracy_per_joule(found: Sequence[Quantity]) -> tuple[Quantity, ...]:
    """Points of accuracy for each joule of an inference; none without truth, or without energy.

    The interval is that of both at once: the least accuracy at the most energy, and the other way round.
    """
    named = {q.name: q for q in found}
    accuracy = next((named[n] for n in headlines() if n in named and not is_agreement(n)), None)
    energy = named.get("energy_j")
    if accuracy is None or energy is None or energy.value <= 0:
        return ()
    ends = (accuracy.low, energy.high, accuracy.high, energy.low)
    low = high = None
    if all(end is not None and end > 0 for end in ends):
        least, most_j, most, least_j = (float(end or 0.0) for end in ends)
        low, high = 100 * least / most_j, 100 * most / least_j
    how: How = "estimated" if energy.how == "estimated" else "derived"
    value = 100 * accuracy.value / energy.value
    ci = f"{accuracy.name} over energy, the ends of both intervals"
    return (Quantity.listed("accuracy_per_j", value, how=how, low=low, high=high, ci=ci),)
