"""A run: a look at every target first, then interleaved rounds of lanes, then what is measured once.

A lane yields readings: (metric, target, value). What they mean stands in `metrics`.
"""

from collections.abc import Iterator, Sequence

from bench import halfload, leaving, once, pacing
from bench.checks import Expected
from bench.ladder import Ladder
from bench.lanes import Bench, Lane, Run
from bench.load import Load, check, saturate
from bench.machine import SETTLE_LOOK_S, rss_kib, settle
from bench.metrics import HALF, LOADED, NEEDS, Part, Reading
from bench.posts import KINDS, Kind
from bench.progress import Progress
from bench.saturation import CONNECTIONS, Saturation, cost_s
from bench.servers import Target

WARM_UP_S = 1
"""Each target's first second under load is not measured: some compile, some fill caches."""
CHECKS: tuple[Kind, ...] = ("plain", "chunks", "burst")
"""Kinds for which a run says what its own checks cost."""


def preflight(targets: Sequence[Target], parts: Sequence[Part]) -> dict[str, dict[Kind, Expected]]:
    """One request of each kind that is needed to each target that serves it; what to expect of its replies.

    Raises: BenchError where one is wrong.
    """
    needed = frozenset[Kind]().union(*(NEEDS[part] for part in parts))
    return {
        target.name: {
            kind: check(target, kind) for kind in KINDS if kind in needed & target.peer.kinds
        }
        for target in targets
    }


def run(bench: Bench, rounds: int, progress: Progress) -> Iterator[Reading]:
    """Everything asked for."""
    _note_usage(bench)
    if "memory" in bench.parts:
        for target in bench.targets:
            yield Reading("memory.idle", target.name, rss_kib(target.pid) / 1024)
    for lane in before(bench):
        yield from _done(lane, "", progress)
    for number in range(1, rounds + 1):
        for lane in one_round(bench, number):
            yield from _done(lane, f"round {number} of {rounds}: ", progress)
    for lane in once.lanes(bench):
        yield from _done(lane, "", progress)


def planned_s(bench: Bench, rounds: int) -> float:
    """What all of that is thought to take."""
    in_round = sum(_cost_s(lane) for lane in one_round(bench, 1))
    return in_round * rounds + sum(_cost_s(lane) for lane in (*before(bench), *once.lanes(bench)))


def before(bench: Bench) -> Iterator[Lane]:
    """What is not measured, or about the bench itself."""
    if not bench.wrk or LOADED.isdisjoint(bench.parts):
        return
    for kind in HALF:
        if able := bench.able(kind):
            yield Lane(f"warm-up, {kind}", cost_s(WARM_UP_S), able, _warm(bench, kind))
    if "saturated" in bench.parts:
        cost = 2 * len(CHECKS) * cost_s(WARM_UP_S)
        yield Lane("what checking costs", cost, (bench.mock,), lambda _: _checks(bench))


def one_round(bench: Bench, number: int) -> Iterator[Lane]:
    """The lanes of a round; half load comes after the saturated rates that it needs."""
    saturation = Saturation(bench)
    if bench.wrk:
        yield from saturation.lanes()
        if "ladder" in bench.parts:
            yield from Ladder(bench).lanes()
    if "half" in bench.parts:
        yield from halfload.lanes(bench, saturation.rates)
    if "paced" in bench.parts:
        yield from pacing.lanes(bench)
    if "leaving" in bench.parts:
        yield from leaving.lanes(bench, number)


def _warm(bench: Bench, kind: Kind) -> Run:
    def run(target: Target) -> Iterator[Reading]:
        expected = bench.expected[target.name][kind]
        saturate(target, Load(expected, CONNECTIONS, WARM_UP_S), bench.pins)
        yield from ()

    return run


def _checks(bench: Bench) -> Iterator[Reading]:
    """Drive the mock with and without looking at its replies."""
    shares = []
    for kind in CHECKS:
        expected = bench.expected["direct"][kind]
        rates = [
            saturate(bench.mock, Load(expected, CONNECTIONS, WARM_UP_S, checked=on), bench.pins)
            for on in (False, True)
        ]
        cost = 1 - rates[1].requests_per_s / rates[0].requests_per_s
        shares.append(f"{max(cost, 0.0):.0%} of the rate in {kind}")
    bench.note(bench.mock, f"checking every reply costs the client {', '.join(shares)}")
    yield from ()


def _note_usage(bench: Bench) -> None:
    for target in bench.targets:
        dropped = [k for k, expected in bench.expected[target.name].items() if not expected.usage]
        if dropped:
            bench.note(target, f"its replies have no usage: {', '.join(dropped)}")


def _done(lane: Lane, where: str, progress: Progress) -> Iterator[Reading]:
    progress.lane(f"{where}{lane.title}")
    for target in lane.targets:
        progress.target(target.peer.title)
        yield from lane.run(target)
        settle(
            target.pid
        )  # what goes on with abandoned work would do so on the core of the next one
    progress.done(_cost_s(lane))


def _cost_s(lane: Lane) -> float:
    return (lane.seconds + SETTLE_LOOK_S) * len(lane.targets)
