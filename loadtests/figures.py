"""What a run measured: requests, failures, and times to a tenth of a millisecond.

Locust's own percentiles are rounded to whole milliseconds and, above 100 ms, to two digits; thresholds need finer ones.
Rule 1: memory is bounded by the span of the times, not by their number. Rule 2: no clock, no waiting.
"""

from collections import Counter
from dataclasses import dataclass, field

GRAIN_S = 0.0001


@dataclass(slots=True)
class Times:
    """How often each time was seen."""

    _seen: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count one time; below 0 counts as 0."""
        self._seen[max(0, round(seconds / GRAIN_S))] += 1

    def __len__(self) -> int:
        return self._seen.total()

    def percentile_ms(self, percent: float) -> float | None:
        """The least time, in milliseconds, that `percent` of them do not exceed; None: there are none."""
        rank, count = percent / 100 * len(self), 0
        for grains in sorted(self._seen):
            count += self._seen[grains]
            if count >= rank:
                return grains * GRAIN_S * 1e3
        return None


@dataclass(slots=True)
class Figures:
    """One run. Times of the warm-up are left out, its failures are not."""

    began_at: float = 0.0
    counted_from: float = 0.0
    """End of the warm-up; requests begun earlier have no times here."""
    ended_at: float = 0.0
    requests: int = 0
    """Answered or failed."""
    failures: Counter[str] = field(default_factory=Counter)
    counted: int = 0
    """Answered, and begun after the warm-up."""
    late: int = 0
    """Requests that were planned after the warm-up and not sent, as their user still waited for another."""
    retried: int = 0
    """Answers for which the gateway needed several attempts."""
    times: dict[str, Times] = field(default_factory=dict)
    """By what was timed: "ttft", "whole", "gap", "overhead", "own", "job", "lag"."""
    client_cpu: float | None = None
    """Percent of a core that locust used after the warm-up."""

    def begin(self, now: float, warm_s: float) -> None:
        """Forget everything; a run starts."""
        fresh = Figures(now, now + warm_s)
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(fresh, name))

    def add(self, what: str, seconds: float, began_at: float) -> None:
        """Count a time of something that began at `began_at`."""
        if began_at >= self.counted_from:
            self.times.setdefault(what, Times()).add(seconds)

    def answered(self, began_at: float, attempts: int) -> None:
        """A request was answered as it must be."""
        self.requests += 1
        self.counted += began_at >= self.counted_from
        self.retried += attempts > 1

    def failed(self, reason: str) -> None:
        """A request was not."""
        self.requests += 1
        self.failures[reason] += 1

    def missed(self, planned_at: float) -> None:
        """A planned request was not sent."""
        self.late += planned_at >= self.counted_from

    def find(self, figure: str) -> float | None:
        """One figure by name; None: nothing was measured.

        "failures" is a share, "throughput" the share of planned requests that were sent and answered, "retried" a number,
        "rate" requests a second, "client.cpu" percent; "ttft.p99" and the like are milliseconds.
        """
        match figure.partition("."):
            case ("failures", "", ""):
                return self.failures.total() / self.requests if self.requests else None
            case ("throughput", "", ""):
                planned = self.counted + self.late + self.failures.total()
                return self.counted / planned if planned else None
            case ("retried", "", ""):
                return float(self.retried)
            case ("rate", "", ""):
                seconds = self.ended_at - self.counted_from
                return self.counted / seconds if seconds > 0 else None
            case ("client", ".", "cpu"):
                return self.client_cpu
            case (what, ".", percentile) if percentile[:1] == "p":
                times = self.times.get(what)
                return times.percentile_ms(float(percentile[1:])) if times else None
        raise KeyError(figure)
