"""What a comparison found: figures per model, rows per request; pure, but for the file that rows go to.

Rule 1: a request that failed counts as an error, and in no other figure but the cost.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

import msgspec

from proxy.cli.compare_running import Sample

COLUMNS = (
    "model", "prompt", "turn", "status", "error", "message", "endpoint", "attempts", "ttft_s", "total_s",
    "tokens_per_s", "prompt_tokens", "completion_tokens", "cost_usd", "finish_reason", "valid", "generation",
)  # fmt: skip
"""Of the CSV, one row per request."""


class Result(msgspec.Struct, frozen=True):
    """One model's figures."""

    model: str
    requests: int
    errors: Mapping[str, int]
    """By kind; empty: none."""
    ttft_s: tuple[float, ...]
    """Of the requests that succeeded, ascending."""
    rate_p50: float | None
    """Output tokens per second."""
    total_p50: float | None
    """Seconds."""
    cost_usd: float
    """Of all requests."""
    valid: float | None
    """Percent of the answers that were asked for a shape and have it; None: none was asked."""
    served: Mapping[str, int]
    """Requests that succeeded, by who served them."""
    retried: int
    """Requests that took the gateway more than one attempt."""
    message: str
    """Of the first error; empty: none."""

    @property
    def succeeded(self) -> int:
        """Requests with an answer."""
        return len(self.ttft_s)

    @property
    def cost_per_thousand(self) -> float | None:
        """USD for a thousand requests like those that succeeded; None: none did."""
        return 1000 * self.cost_usd / self.succeeded if self.succeeded else None


def summarise(models: Sequence[str], samples: Iterable[Sample]) -> list[Result]:
    """Figures of each model, in the order given."""
    found: dict[str, list[Sample]] = {model: [] for model in models}
    for sample in samples:
        found[sample.model].append(sample)
    return [_result(model, of) for model, of in found.items()]


def percentile(ascending: Sequence[float], share: float) -> float | None:
    """The least value that `share` (0..1) of the values do not exceed; None: there are none."""
    if not ascending:
        return None
    return ascending[max(math.ceil(share * len(ascending)) - 1, 0)]


def begin_rows(file: IO[str]) -> None:
    """Write the head of the CSV."""
    csv.writer(file).writerow(COLUMNS)


def add_row(file: IO[str], sample: Sample) -> None:
    """Write one request, so that nothing is lost where a run is broken off."""
    csv.writer(file).writerow(
        (
            sample.model, sample.place, sample.turn, sample.status, sample.error, sample.message,
            sample.endpoint, sample.attempts, _exact(sample.ttft_s), _exact(sample.total_s),
            _exact(sample.rate), sample.prompt_tokens, sample.completion_tokens,
            f"{sample.cost_usd:.9f}", sample.finish_reason,
            "" if sample.valid is None else str(sample.valid).lower(), sample.generation,
        )
    )  # fmt: skip
    file.flush()


def _result(model: str, samples: Sequence[Sample]) -> Result:
    good = [sample for sample in samples if not sample.error]
    bad = [sample for sample in samples if sample.error]
    judged = [sample.valid for sample in good if sample.valid is not None]
    return Result(
        model=model,
        requests=len(samples),
        errors=dict(Counter(sample.error for sample in bad).most_common()),
        ttft_s=tuple(sorted(sample.ttft_s for sample in good if sample.ttft_s is not None)),
        rate_p50=percentile(sorted(s.rate for s in good if s.rate is not None), 0.5),
        total_p50=percentile(sorted(sample.total_s for sample in good), 0.5),
        cost_usd=sum(sample.cost_usd for sample in samples),
        valid=100 * sum(judged) / len(judged) if judged else None,
        served=dict(Counter(s.endpoint for s in good if s.endpoint).most_common()),
        retried=sum(sample.attempts > 1 for sample in samples),
        message=bad[0].message if bad else "",
    )


def _exact(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
