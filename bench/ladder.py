"""The ladder of connections: 1, 2, 4 … 128, each waiting for its reply before it asks again.

A closed loop, as most published figures are: added latency at few connections is the plain cost of a proxy,
at many it is its queue. A target that is slow is asked less often, which flatters its tail; `halfload` does not.
"""

from collections import defaultdict
from collections.abc import Iterator

from bench.lanes import Bench, Lane, Run, Step
from bench.metrics import ADDED_AT, LADDER, WITHIN_MS, Reading
from bench.saturation import cost_s, loaded
from bench.servers import Target


class Ladder:
    """A round's climb of all targets, step by step."""

    def __init__(self, bench: Bench) -> None:
        """Nobody climbed yet."""
        self._bench = bench
        self._due = ADDED_AT if bench.brief else LADDER
        self._steps: dict[int, dict[str, Step]] = defaultdict(dict)

    def lanes(self) -> Iterator[Lane]:
        """A lane per step, so that direct's is measured beside each target's."""
        seconds = max(1, self._bench.seconds - 1)
        for connections in self._due:
            title = f"ladder, {connections} connection{'s' if connections > 1 else ''}"
            run = self._step(connections, seconds)
            yield Lane(title, cost_s(seconds), self._bench.able("plain"), run)

    def _step(self, connections: int, seconds: int) -> Run:
        def run(target: Target) -> Iterator[Reading]:
            found = loaded(self._bench, target, "plain", connections, seconds)
            if found.requests:
                step = Step(connections, found.requests_per_s, found.p50_us, found.p99_us)
                self._steps[connections][target.name] = step
            yield Reading("ladder.others", target.name, found.others)
            if connections == self._due[-1]:
                yield from self._climbed(target)

        return run

    def _climbed(self, target: Target) -> Iterator[Reading]:
        """What a whole ladder says."""
        steps = {n: by[target.name] for n, by in self._steps.items() if target.name in by}
        self._bench.ladders[target.name].append(list(steps.values()))
        for bound in WITHIN_MS:
            within = [step.rate for step in steps.values() if step.p99_us <= bound * 1e3]
            yield Reading(f"tail.rate_{bound}ms", target.name, max(within, default=0.0))
        for connections in ADDED_AT:
            step, direct = steps.get(connections), self._steps[connections].get("direct")
            if step and direct and target is not self._bench.mock:
                name = f"c{connections}"
                yield Reading(f"ladder.added_p50.{name}", target.name, step.p50_us - direct.p50_us)
                yield Reading(f"ladder.added_p99.{name}", target.name, step.p99_us - direct.p99_us)
