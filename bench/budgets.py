"""What Hedgerow promises as a sidecar, beside what a run found, and when that proves little.

Rule 1: a ratio is taken round by round, since both halves saw the same minute; the median is judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeAlias

from bench.metrics import METRICS

OURS = "hedgerow"
OTHERS_MAX = 0.10
"""Cores busy with processes not ours; above this, rates and latencies are spoilt."""
BUSY_MIN = 0.95
"""Below this share of its core a proxy was not what limited the rate."""

Values: TypeAlias = dict[str, dict[str, list[float]]]
"""Metric -> target -> one value per round, in the order of the rounds."""
Against: TypeAlias = Literal["nginx", "tensorzero", "litellm"]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on Hedgerow's median, or on its ratio to another target."""

    metric: str
    limit: float
    against: Against | None = None
    at_least: bool = False

    def holds(self, found: float) -> bool:
        """Whether `found` keeps the limit."""
        return found >= self.limit if self.at_least else found <= self.limit

    @property
    def text(self) -> str:
        """The limit as a reader sees it."""
        sign = ">=" if self.at_least else "<="
        return f"{sign} {self.limit:g}" + (f"x {self.against}" if self.against else "")


BUDGETS = (
    Budget("plain.cpu", 6.0, "nginx"),
    Budget("plain.cpu", 0.7, "tensorzero"),
    Budget("plain.rate", 70.0, "litellm", at_least=True),
    Budget("chunks.rate", 0.75, "nginx", at_least=True),
    Budget("half.plain.added_p50", 400.0),
    Budget("half.plain.added_p99", 2_000.0),
    Budget("half.chunks.added_p50", 400.0),
    Budget("half.chunks.added_p99", 2_000.0),
    Budget("memory.stream", 40.0),
    Budget("coldstart.first", 1_000.0),
    Budget("leaving.p99", 100.0),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one budget."""

    metric: str
    against: Against | None
    limit: float
    at_least: bool
    found: float
    spread: tuple[float, float]
    """The lowest and the highest of the rounds."""
    holds: bool
    doubt: str = ""
    """Why the figure proves less than it seems to."""


def ratios(by_target: dict[str, list[float]], ours: str, theirs: str = "nginx") -> list[float]:
    """`ours` over `theirs`, round by round."""
    pairs = zip(by_target.get(ours, []), by_target.get(theirs, []), strict=False)
    return [one / other for one, other in pairs if other > 0]


def verdicts(values: Values) -> Iterator[Verdict]:
    """Every budget whose metric was measured at all it needs."""
    for budget in BUDGETS:
        by_target = values.get(budget.metric, {})
        found = ratios(by_target, OURS, budget.against) if budget.against else by_target.get(OURS)
        if not found:
            continue
        middle, spread = median(found), (min(found), max(found))
        doubt = "; ".join(_doubts(budget, middle, values))
        yield Verdict(
            budget.metric, budget.against, budget.limit, budget.at_least, middle, spread,
            budget.holds(middle), doubt,
        )  # fmt: skip


def _doubts(budget: Budget, found: float, values: Values) -> Iterator[str]:
    """Noise spoils any figure; a ratio of rates says little if nginx was not the limit."""
    lane, _, what = budget.metric.rpartition(".")
    others = [n for seen in values.get(f"{lane}.others", {}).values() for n in seen]
    if others and median(others) > OTHERS_MAX:
        yield f"noisy: others kept {median(others):.2f} cores busy"
    busy = values.get(f"{lane}.busy", {}).get("nginx")
    if what == "rate" and budget.against == "nginx" and busy and median(busy) < BUSY_MIN:
        yield f"nginx used {median(busy):.0%} of its core: compare CPU instead"
    late = values.get(f"{lane}.late", {}).get(OURS)
    if late and median(late) > max(found, 1.0):
        yield f"the client was up to {median(late):,.0f} us late"
    kept = values.get(f"{lane}.kept", {}).get(OURS)
    if kept and max(kept) > 0:
        yield f"{max(kept):.0%} of the connections were not closed at all"


TITLES = {metric.name: metric.title.strip() for metric in METRICS}
"""For people."""
