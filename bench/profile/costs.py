"""Microseconds of CPU time per request and row, from samples and the kernel's own count.

Rule 1: samples say how the time divides, `/proc` how much it is; the rows add up to what `/proc` says of
a stretch without the sampler, the core's softirq time included, since samples include it.
Rule 2: what the samples alone would say stands beside it, as a check.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.profile.calls import KERNEL
from bench.profile.sampling import RATE_HZ, Samples
from bench.profile.stages import ROWS, row_of
from bench.profile.stretch import Stretch


@dataclass(frozen=True, slots=True)
class Cost:
    """One row."""

    row: str
    us: float
    """CPU time per request, microseconds."""
    error_us: float
    """One standard error of it."""
    share: float


@dataclass(frozen=True, slots=True)
class Costs:
    """Where the time of one kind of request goes."""

    kind: str
    rows: tuple[Cost, ...]
    calls: tuple[Cost, ...]
    """Lines that make a system call, by its name; parts of the rows."""
    samples: int
    alone: Stretch
    """Without the sampler: what the rows add up to."""
    profiled: Stretch
    sampled_us: float
    """Time per request that the samples stand for: it ran, or wanted to."""


def costs_of(kind: str, samples: Samples, alone: Stretch, profiled: Stretch) -> Costs:
    """Divide the time of a request.

    Args:
        alone: the stretch without the sampler.
        profiled: the stretch that was sampled.
    """
    rows: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for stack, number in samples.items():
        rows[row_of(stack)] += number
        if stack[-1].file == KERNEL:
            calls[stack[-1].function] += number
    total, us = rows.total(), alone.used_us
    return Costs(
        kind,
        tuple(_cost(row, rows[row], total, us) for row in ROWS),
        tuple(_cost(name, number, total, us) for name, number in calls.most_common()),
        total,
        alone,
        profiled,
        total / RATE_HZ * 1e6 / max(profiled.requests, 1),
    )


def _cost(row: str, number: int, total: int, us: float) -> Cost:
    share = number / max(total, 1)
    return Cost(row, share * us, math.sqrt(share * (1 - share) / max(total, 1)) * us, share)


def text(costs: Costs) -> str:
    """The table for a terminal."""
    lines = [f"{costs.kind}: where the microseconds of a request go", ""]
    lines += map(_line, costs.rows)
    lines += [f"{'sum':36}{costs.alone.used_us:8.1f} us: {_sum(costs)}", ""]
    lines += ["of it in lines that make a system call", *map(_line, costs.calls)]
    return "\n".join([*lines, "", _check(costs)])


def markdown(costs: Costs) -> str:
    """The table for the docs."""
    head = [f"| `{costs.kind}` | µs of CPU per request | ± | share |", "|---|--:|--:|--:|"]
    return "\n".join(
        [*head, *map(_md, costs.rows), _sum_md(costs), "", *_calls_md(costs.calls), ""]
    )


def _line(cost: Cost) -> str:
    return f"{cost.row:36}{cost.us:8.1f} us  +-{cost.error_us:4.1f}  {100 * cost.share:5.1f} %"


def _md(cost: Cost) -> str:
    return f"| {cost.row} | {cost.us:.1f} | {cost.error_us:.1f} | {100 * cost.share:.1f} % |"


def _sum_md(costs: Costs) -> str:
    return f"| **sum**: {_sum(costs)} | **{costs.alone.used_us:.1f}** | | |"


def _sum(costs: Costs) -> str:
    """What the sum consists of."""
    alone = costs.alone
    return f"process {alone.cpu_us:.1f}, delivery of packets on its core {alone.delivery_us:.1f}"


def _calls_md(calls: Sequence[Cost]) -> list[str]:
    """One sentence, if there is something to tell."""
    words = ", ".join(f"`{cost.row}` {cost.us:.1f}" for cost in calls)
    return [f"Of it in lines that make a system call (µs): {words}."] if words else []


def _check(costs: Costs) -> str:
    found = costs.profiled
    proc = found.used_us + found.waited_us
    apart = costs.sampled_us / proc - 1 if proc else 0.0
    return (
        f"check: {costs.samples} samples stand for {costs.sampled_us:.1f} us a request; /proc has {proc:.1f} "
        f"there, {found.waited_us:.1f} of it waiting for the core ({100 * apart:+.0f} %)"
    )
