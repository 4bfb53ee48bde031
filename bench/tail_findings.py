"""What a run of `bench.tail` showed: figures, and whether the goals were reached.

Rule 1: times are seconds of the world, whatever the scale of the run was. Rule 2: nothing is measured here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from bench.day_findings import percentile
from bench.tail_worlds import (
    COMPLETION_TOKENS,
    COMPLETION_USD,
    PIECE_TOKENS,
    PIECES,
    PROMPT_TOKENS,
    PROMPT_USD,
)
from proxy.units import MILLION, price_from_usd

Figure: TypeAlias = float | int | str | None
PERCENTS = (50.0, 95.0, 99.0, 99.9)
P99_CUT_MIN, EXTRA_MAX, COST_MAX = 0.60, 0.05, 0.02
"""The goals in the world of stalls: of the 99th percentile, of requests, of money."""
EXTRA_SLOW_MAX = 0.055
"""Extra requests in other worlds, in all and while somebody is slow."""
CLOSED_MS_MAX = 50.0
"""Winner's first token -> loser's socket found closed by its provider; 99th percentile."""
BILL_MAX = 0.01
"""How far the gateway's costs may be from what the providers sent."""


@dataclass(slots=True)
class Run:
    """One mode in one world."""

    how: str
    """virtual | sockets."""
    world: str
    mode: str
    requests: int = 0
    """In all."""
    waits: Sequence[float] = ()
    """Sorted; those of the warm-up are left out."""
    attempts: int = 0
    """That reached a provider."""
    fired: int = 0
    """Second attempts that the gateway says it started by silence."""
    won: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """Why none was started where the time had come."""
    slow_requests: int = 0
    """Requests while providers were slower than they usually are."""
    slow_extra: int = 0
    charged: int = 0
    """Nano-dollars that clients paid."""
    house: int = 0
    """The same, that nobody but the operator paid."""
    providers_bill: int = 0
    """What providers sent, at their prices; sockets only."""
    errors: int = 0
    mixed: int = 0
    """Replies with content of two attempts."""
    closed_ms: list[float] = field(default_factory=list)
    """Sorted; for each loser."""
    losers_ended: int = 0
    """Losers that were let run to their end."""
    late_p99_ms: float = 0.0
    cpu_s: float = 0.0
    """Of the gateway; virtual: of the whole run."""

    @property
    def extra(self) -> float:
        """Attempts beyond one each, per request."""
        return (self.attempts - self.requests) / max(self.requests, 1)

    @property
    def extra_slow(self) -> float:
        """The same, while providers were slow."""
        return self.slow_extra / max(self.slow_requests, 1)

    @property
    def extra_cost(self) -> float:
        """What losers cost, as a share of what clients paid."""
        return self.house / max(self.charged, 1)

    def p(self, percent: float) -> float:
        """A percentile of the waits, seconds."""
        return percentile(self.waits, percent)


def bill_of(pieces: int) -> int:
    """What a provider sent, nano-dollars: the prompt, and what it says of a whole reply or, as it then says
    nothing, the text of so many pieces."""
    prompt, completion = price_from_usd(PROMPT_USD), price_from_usd(COMPLETION_USD)
    tokens = COMPLETION_TOKENS if pieces == PIECES else PIECE_TOKENS * pieces
    return (PROMPT_TOKENS * prompt + tokens * completion) // MILLION


def figures(run: Run) -> dict[str, Figure | dict[str, int]]:
    """Everything that is printed of a run."""
    found: dict[str, Figure | dict[str, int]] = {
        "how": run.how, "world": run.world, "mode": run.mode,
        "requests": run.requests, "waits": len(run.waits),
    }  # fmt: skip
    found |= {f"p{percent:g}_s": round(run.p(percent), 3) for percent in PERCENTS}
    found |= {
        "extra_requests": round(run.extra, 5),
        "extra_cost": round(run.extra_cost, 5),
        "slow_requests": run.slow_requests,
        "extra_requests_slow": round(run.extra_slow, 5),
        "fired": run.fired,
        "won": run.won,
        "skipped": run.skipped,
        "charged_usd": round(run.charged / 1e9, 4),
        "house_usd": round(run.house / 1e9, 4),
        "errors": run.errors,
        "cpu_us_per_request": round(run.cpu_s / max(run.requests, 1) * 1e6, 1),
    }
    if run.how == "sockets":
        found |= {
            "providers_bill_usd": round(run.providers_bill / 1e9, 4),
            "closed_p50_ms": round(percentile(run.closed_ms, 50), 2),
            "closed_p99_ms": round(percentile(run.closed_ms, 99), 2),
            "losers": len(run.closed_ms),
            "losers_ended": run.losers_ended,
            "mixed": run.mixed,
            "client_late_p99_ms": round(run.late_p99_ms, 2),
        }
    return found


def checks(runs: Iterable[Run]) -> dict[str, bool]:
    """What must hold, by its words."""
    found: dict[str, bool] = {}
    by_name = {(run.how, run.world, run.mode): run for run in runs}
    for (how, world, mode), run in by_name.items():
        where = f"{how}, {world}, {mode}"
        found[f"{where}: nobody got an error"] = not run.errors
        if how == "sockets":
            found |= {f"{where}: {words}": holds for words, holds in _sockets(run).items()}
        plain = by_name.get((how, world, "none"))
        if mode in {"hedged", "unbounded"}:
            if plain is not None:
                least = P99_CUT_MIN if world == "stalls" else 0.0
                found[f"{where}: p99 at least {least:.0%} lower"] = cut(run, plain) >= least
            found |= {f"{where}: {words}": holds for words, holds in _bounds(run).items()}
    return found


def cut(run: Run, plain: Run, percent: float = 99.0) -> float:
    """How much lower a percentile is than without hedging, as a share."""
    return 1 - run.p(percent) / max(plain.p(percent), 1e-9)


def _bounds(run: Run) -> Mapping[str, bool]:
    """What hedging may add; where providers change, by half a point more."""
    most = EXTRA_MAX if run.world == "stalls" else EXTRA_SLOW_MAX
    found = {
        f"at most {most:.1%} extra requests": run.extra <= most,
        "at most 2 % extra cost": run.extra_cost <= COST_MAX,
    }
    if run.slow_requests:
        found["at most 5.5 % extra requests while providers are slow"] = (
            run.extra_slow <= EXTRA_SLOW_MAX
        )
    return found


def _sockets(run: Run) -> Mapping[str, bool]:
    told = run.charged + run.house
    return {
        "no reply is mixed": not run.mixed,
        "no loser runs to its end": not run.losers_ended,
        "losers' sockets closed within 50 ms (p99)": (
            percentile(run.closed_ms, 99) <= CLOSED_MS_MAX
        ),
        "providers saw as many attempts as were started": run.mode == "race"
        or run.attempts == run.requests + run.fired,
        "costs are what providers sent, within 1 %": (
            abs(told - run.providers_bill) <= BILL_MAX * max(run.providers_bill, 1)
        ),
    }


def survival(waits: Sequence[float], points: int = 240) -> list[tuple[float, float]]:
    """(seconds, share that waits at least so long), thinned out evenly on a logarithmic scale of shares.

    Args:
        waits: sorted.
    """
    many = len(waits)
    left = [round(many ** (1.0 - n / points)) for n in range(points + 1)] if many else []
    return [(waits[many - some], some / many) for some in dict.fromkeys(left)]
