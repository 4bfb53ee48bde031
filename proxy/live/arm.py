"""One arm of an experiment: what its requests came to, and how sure that is.

Rule 1: a request counts for the arm that was drawn, whoever served it in the end: an arm whose model
fails gets the cost and the time of its fallbacks (intention to treat).
Rule 2: money is summed in whole nano-dollars, squares included; means and intervals are for reading.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec
from hdrh.histogram import HdrHistogram

from proxy.live.counts import FIGURE_MAX, FIGURE_MIN, new_histogram, number_of, rising
from proxy.model.observation import Observation
from proxy.model.standing import Quantiles
from proxy.policy.intervals import Interval, of_mean, of_share

MILLISECONDS = 1000
"""Histograms count these; results are in seconds."""


class ArmResult(msgspec.Struct, frozen=True):
    """One arm since the start of the process; intervals hold the truth 95 times out of 100."""

    experiment: str
    arm: str
    requests: int = 0
    """All that were drawn: the basis of `error_share`."""
    errors: int = 0
    """No attempt succeeded, or the reply broke off."""
    error_share: Interval | None = None
    departures: int = 0
    """Clients that left before the end."""
    answers: int = 0
    """Requests that somebody began to answer: the basis of `cost`."""
    cost_nanodollars: int = 0
    """Of all of them."""
    cost: Interval | None = None
    """Of the mean of one answer; nano-dollars."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    ttft: Quantiles | None = None
    """Streamed replies; seconds."""
    total: Quantiles | None = None
    """Complete replies; seconds."""
    scores: int = 0
    """Generations with a score."""
    score_sum: float = 0.0
    score: Interval | None = None
    """Of the mean; 0..1."""
    categories: Mapping[str, int] = {}
    """Complaints, by category."""
    comments: int = 0


class Arm:
    """The sums of one arm."""

    def __init__(self, experiment: str, name: str) -> None:
        self.experiment = experiment
        self.name = name
        self.requests = self.errors = self.departures = self.answers = 0
        self.cost_nanodollars = self._cost_squares = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.scores = self.comments = 0
        self.score_sum = self._score_squares = 0.0
        self.categories: Counter[str] = Counter()
        self._ttft: HdrHistogram | None = None
        self._total: HdrHistogram | None = None

    def finished(self, observation: Observation | None, *, left: bool = False) -> None:
        """One of its requests is over; None: nobody answered, before its client `left` or at all."""
        self.requests += 1
        if observation is None:
            self.departures += left
            self.errors += not left
            return
        self.answers += 1
        if observation.fault == "client":
            self.departures += 1
        elif observation.fault != "none":
            self.errors += 1
        cost = observation.prompt_cost + observation.completion_cost
        self.cost_nanodollars += cost
        self._cost_squares += cost * cost
        self.prompt_tokens += observation.prompt_tokens
        self.completion_tokens += observation.completion_tokens
        if observation.ttft_s is not None and not observation.censored:
            self._ttft = recorded(self._ttft, observation.ttft_s)
        if observation.total_s is not None:
            self._total = recorded(self._total, observation.total_s)

    def scored(self, score: float, before: float | None) -> None:
        """A generation is worth `score`, 0..1; `before`: what it was said to be worth until now."""
        if before is None:
            self.scores += 1
            before = 0.0
        self.score_sum += score - before
        self._score_squares += score * score - before * before

    def ttft(self) -> Quantiles | None:
        """Seconds; None: no streamed reply yet."""
        return quantiles(self._ttft)

    def result(self) -> ArmResult:
        """What is known now."""
        return ArmResult(
            self.experiment,
            self.name,
            requests=self.requests,
            errors=self.errors,
            error_share=of_share(self.errors, self.requests),
            departures=self.departures,
            answers=self.answers,
            cost_nanodollars=self.cost_nanodollars,
            cost=of_mean(self.cost_nanodollars, self._cost_squares, self.answers),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            ttft=self.ttft(),
            total=quantiles(self._total),
            scores=self.scores,
            score_sum=self.score_sum,
            score=of_mean(self.score_sum, self._score_squares, self.scores),
            categories=dict(self.categories),
            comments=self.comments,
        )


def recorded(histogram: HdrHistogram | None, seconds: float) -> HdrHistogram:
    """`histogram`, or a new one, with a figure more; what is out of its range counts as its bound."""
    histogram = new_histogram() if histogram is None else histogram
    histogram.record_value(min(max(round(seconds * MILLISECONDS), FIGURE_MIN), FIGURE_MAX))
    return histogram


def quantiles(histogram: HdrHistogram | None) -> Quantiles | None:
    """Percentiles, seconds; None without a figure."""
    if histogram is None:
        return None
    return rising(number_of(memoryview(histogram.counts).cast("B")), MILLISECONDS)
