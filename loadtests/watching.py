"""Looks at a run from its start to its end: progress on stdout, thresholds at the end, the exit code.

Rule 1: a run that breaks a threshold ends with code 1, any other with 0, whatever locust thinks of single failures; one
that cannot be judged with 2.
Rule 2: an exception in a scenario is a fault of the scenario, and breaks the run.
"""

import os
from collections.abc import Sequence
from time import perf_counter, process_time

import gevent
from locust.env import Environment
from locust.runners import LocalRunner

from loadtests.figures import Figures
from loadtests.scenarios import Scenario
from loadtests.thresholds import judge, said

STAMPED_VARIABLE = "HEDGEROW_LOAD_STAMPED"
"""Set where the gateway asks our own providers."""
EVERY_S = 5.0
LAG_EVERY_S = 0.02
WARM_SHARE_MAX = 0.3
"""Of a run that is shorter than usual."""
PROGRESS = ("ttft.p99", "whole.p99", "overhead.p99", "lag.p99", "client.cpu")
SHOWN = (
    "ttft.p50", "ttft.p99", "whole.p50", "whole.p99", "job.p50", "gap.p50", "gap.p99",
    "overhead.p50", "overhead.p99", "own.p50", "own.p99",
)  # fmt: skip


def stamped() -> bool:
    """Whether every answer must have a stamp."""
    return bool(os.environ.get(STAMPED_VARIABLE))


def attach(environment: Environment, figures: Figures, scenario: Scenario) -> None:
    """Have locust tell us when the run begins and ends."""
    watch = Watch(environment, figures, scenario)
    environment.events.test_start.add_listener(watch.begin)
    environment.events.test_stop.add_listener(watch.end)
    environment.events.quitting.add_listener(watch.judge)


class Watch:
    """One locust and its runs."""

    def __init__(self, environment: Environment, figures: Figures, scenario: Scenario) -> None:
        """Args: figures: that the users write into."""
        self._environment, self._figures, self._scenario = environment, figures, scenario
        self._greenlets: list[gevent.Greenlet] = []
        self._used_s = 0.0
        """CPU time of this process up to the end of the warm-up."""

    def begin(self, **_: object) -> None:
        """A run begins."""
        options = self._environment.parsed_options
        run_s = float(options.run_time or 0) if options is not None else 0.0
        warm_s = self._scenario.warm_s
        if run_s:
            warm_s = min(warm_s, run_s * WARM_SHARE_MAX)
        self._figures.begin(perf_counter(), warm_s)
        self._greenlets = [gevent.spawn(self._watch), gevent.spawn(self._lag)]

    def end(self, **_: object) -> None:
        """The run is over; requests that are still running may end."""
        self._measure()
        gevent.killall(self._greenlets, block=False)

    def _measure(self) -> None:
        """Note how far the run is and what locust used, if the warm-up is over."""
        figures, now = self._figures, perf_counter()
        if now > figures.counted_from:
            figures.ended_at = now
            used_s = process_time() - self._used_s
            figures.client_cpu = 100 * used_s / (now - figures.counted_from)

    def _watch(self) -> None:
        """Say now and then how it goes."""
        figures, runner = self._figures, self._environment.runner
        assert runner is not None
        gevent.sleep(max(0.0, figures.counted_from - perf_counter()))
        self._used_s = process_time()
        if not figures.failures:  # locust's tables then show what the thresholds judge
            runner.stats.reset_all()
        self._say(f"{runner.user_count} users, warm after {figures.requests} requests")
        while True:
            gevent.sleep(EVERY_S)
            self._measure()
            self._say(
                f"{figures.ended_at - figures.began_at:4.0f} s  {runner.user_count} users"
                f"  {figures.requests} requests  {figures.failures.total()} failed"
                f"  {self._said(PROGRESS)}"
            )

    def _lag(self) -> None:
        """Measure how much later than asked for we are woken: so much of every time is not the gateway's."""
        while True:
            began = perf_counter()
            gevent.sleep(LAG_EVERY_S)
            self._figures.add("lag", perf_counter() - began - LAG_EVERY_S, began)

    def _said(self, names: Sequence[str]) -> str:
        found = ((name, self._figures.find(name)) for name in names)
        return "  ".join(
            f"{name} {said(name, value)}" for name, value in found if value is not None
        )

    def judge(self, **_: object) -> None:
        """Print a line for each threshold, set the exit code."""
        runner = self._environment.runner
        if not isinstance(runner, LocalRunner):
            self._say(
                "not judged: thresholds are for one locust process, and this is one of several"
            )
            self._environment.process_exit_code = 2
            return
        figures = self._figures
        if not figures.began_at:
            return
        verdicts = judge(self._scenario.thresholds, figures, stamped=stamped())
        rate = figures.find("rate")
        self._say(
            f"{figures.requests} requests, {said('rate', rate or 0.0)} after the warm-up"
            f"  {self._said(SHOWN)}"
        )
        for reason, count in figures.failures.most_common(10):
            self._say(f"failed  {count} x {reason}")
        for verdict in verdicts:
            self._say(verdict.line())
        for fault in runner.exceptions.values():
            self._say(f"BROKEN  the scenario raised: {fault['msg']}")
        held = all(verdict.holds for verdict in verdicts) and not runner.exceptions
        self._environment.process_exit_code = 0 if held else 1

    def _say(self, line: str) -> None:
        print(f"{self._scenario.name}: {line}", flush=True)
