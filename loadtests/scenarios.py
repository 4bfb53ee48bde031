"""The scenarios as data: how many users, how often each asks, how long, and what must hold.

Rated load is what `users` and `pace_s` say: `users / pace_s` requests a second. It is bounded by locust, not by the
gateway: `requests` under gevent costs locust 1 ms of CPU for a request and 0.05 ms for a piece of a stream, so that one
process ends at 500 to 1,000 requests a second; the gateway, asked by something cheaper, carries several times that on its core.
Rated load keeps locust below half a core, so that its own delays stay out of the percentiles. What the gateway carries
at most is measured by `bench/`.
"""

from dataclasses import dataclass
from pathlib import Path

from loadtests.thresholds import Threshold

OVERHEAD_P99_MS = 25.0
"""The gate of every scenario at a steady rated load: what is between client and provider, seen from outside."""
FAILURES = Threshold("failures", 0.0)
OVERHEAD = Threshold("overhead.p99", OVERHEAD_P99_MS, needs_stamps=True)
THROUGHPUT = Threshold("throughput", 0.98, at_least=True)
CLIENT = Threshold("client.cpu", 80.0)
"""Locust warns at 90 %; beyond, it measures itself."""
LAG = Threshold("lag.p99", 15.0)
"""How late locust itself is woken. Where this is broken, machine or locust were too busy to measure anything."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario at its rated load."""

    name: str
    about: str
    users: int
    pace_s: float
    """Each user begins something so often, on average; between half and one and a half times as long."""
    seconds: int
    """Length of a usual run, warm-up included."""
    thresholds: tuple[Threshold, ...]
    warm_s: float = 6.0

    @property
    def file(self) -> Path:
        """The locust file."""
        return Path(__file__).with_name(f"{self.name}.py")


_ALL = (
    Scenario(
        "chat",
        "short answers in one piece",
        users=400,
        pace_s=2.0,
        seconds=20,
        thresholds=(FAILURES, OVERHEAD, Threshold("whole.p99", 250), THROUGHPUT, CLIENT, LAG),
    ),
    Scenario(
        "streaming",
        "streams of 40 pieces, 20 ms apart",
        users=320,
        pace_s=4.0,
        seconds=25,
        thresholds=(
            FAILURES,
            Threshold("ttft.p99", 400),
            Threshold("gap.p99", 60),
            OVERHEAD,
            THROUGHPUT,
            CLIENT,
            LAG,
        ),
    ),
    Scenario(
        "agent",
        "jobs of 3 to 6 turns with tools, each turn streamed, the context growing",
        users=200,
        pace_s=10.0,
        seconds=40,
        thresholds=(FAILURES, Threshold("ttft.p99", 400), OVERHEAD, THROUGHPUT, CLIENT, LAG),
        warm_s=10.0,
    ),
    Scenario(
        "documents",
        "prompts of 50 to 400 KB, short streamed answers",
        users=90,
        pace_s=3.0,
        seconds=25,
        thresholds=(FAILURES, Threshold("ttft.p99", 400), OVERHEAD, THROUGHPUT, CLIENT, LAG),
    ),
    Scenario(
        "mixed",
        "three models, streamed or not; one provider fails, breaks off or stalls",
        users=240,
        pace_s=4.0,
        seconds=30,
        thresholds=(
            Threshold("failures", 0.001),
            Threshold("retried", 20, at_least=True),
            Threshold("ttft.p99", 2_500),
            OVERHEAD,
            THROUGHPUT,
            CLIENT,
            LAG,
        ),
    ),
    Scenario(
        "spike",
        "streams; eight times as many users for the middle fifth of the run",
        users=400,
        pace_s=4.0,
        seconds=40,
        thresholds=(
            FAILURES,
            Threshold("ttft.p99", 450),
            Threshold("overhead.p99", 50, needs_stamps=True),
            Threshold("throughput", 0.95, at_least=True),
            CLIENT,
            LAG,
        ),
    ),
    Scenario(
        "ramp",
        "streams; users grow in six steps up to the rated load of `streaming` and a half more",
        users=480,
        pace_s=4.0,
        seconds=60,
        thresholds=(
            FAILURES,
            Threshold("ttft.p99", 400),
            Threshold("overhead.p99", 50, needs_stamps=True),
            THROUGHPUT,
            CLIENT,
            LAG,
        ),
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
SHORT = ("chat", "streaming", "mixed")
"""What a run without arguments does."""
