"""Half of what a target can do itself, in an open loop: what clients feel of a gateway that is not overloaded.

Rule 1: the mock is driven at the same rate right before each target, with the same arrivals: what the target adds is the
difference. Percentiles do not subtract exactly; it is what a client sees more.
"""

from collections.abc import Iterator, Mapping

from bench import ttfb
from bench.clients import LATE_S
from bench.lanes import CLIENT_START_S, Bench, Lane, Run
from bench.machine import Others, cpu_s
from bench.metrics import HALF, Reading
from bench.posts import Kind
from bench.servers import Target

CLIENT_RATE_MAX: dict[Kind, float] = {"plain": 6_000.0, "chunks": 400.0}
"""Requests per second the Python client sends without becoming what is measured."""
RATE_MIN = 5.0
"""Below this a stretch would have hardly any request in it."""
UNKNOWN = 0.01
"""Share of the client's rate that is tried where no saturated rate was measured."""


def lanes(bench: Bench, rates: Mapping[tuple[Kind, str], float]) -> Iterator[Lane]:
    """A lane per kind; `rates` are the saturated ones, filled by then."""
    for kind in HALF:
        cost = 2 * (bench.seconds + CLIENT_START_S)
        proxies = tuple(t for t in bench.able(kind) if t is not bench.mock)
        yield Lane(f"half load, {kind}", cost, proxies, _run(bench, kind, rates))


def rate_of(kind: Kind, target: str, rates: Mapping[tuple[Kind, str], float]) -> float:
    """How many requests per second this target is sent."""
    limit = CLIENT_RATE_MAX[kind]
    able = rates.get((kind, target), 2 * UNKNOWN * limit)
    return max(RATE_MIN, min(limit, able / 2))


def _run(bench: Bench, kind: Kind, rates: Mapping[tuple[Kind, str], float]) -> Run:
    def run(target: Target) -> Iterator[Reading]:
        rate = rate_of(kind, target.name, rates)
        before = bench.expected["direct"][kind]
        direct = ttfb.measure(bench.mock, before, rate, bench.seconds, bench.pins)
        cpu, others = cpu_s(target.pid), Others()
        expected = bench.expected[target.name][kind]
        seen = ttfb.measure(target, expected, rate, bench.seconds, bench.pins)
        cpu, busy = cpu_s(target.pid) - cpu, others.cores()
        if seen.unanswered:
            words = f"{seen.unanswered} requests had no whole answer after {LATE_S:.0f} s"
            bench.note(target, f"{words} (half load, {kind})")
        yield from _readings(f"half.{kind}", target.name, seen, direct)
        yield Reading(f"half.{kind}.cpu", target.name, cpu * 1e6 / max(seen.sent, 1))
        yield Reading(f"half.{kind}.others", target.name, busy)

    return run


def _readings(name: str, target: str, seen: ttfb.Ttfb, direct: ttfb.Ttfb) -> Iterator[Reading]:
    yield Reading(f"{name}.rate", target, seen.rate)
    yield Reading(f"{name}.p50", target, seen.p50_us)
    yield Reading(f"{name}.p99", target, seen.p99_us)
    yield Reading(f"{name}.added_p50", target, seen.p50_us - direct.p50_us)
    yield Reading(f"{name}.added_p99", target, seen.p99_us - direct.p99_us)
    yield Reading(f"{name}.late", target, seen.late_p99_us)
