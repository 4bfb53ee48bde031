"""What a day showed: figures of every event, and whether what was promised held.

Rule 1: a window of 10 s is the current second and the nine before it, as the retry budget counts.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

from bench.day_notes import KINDS, Failed, Notes
from bench.day_world import Event
from proxy.config.settings import HealthSettings, LimitSettings, RetrySettings
from proxy.live.retries import WINDOW_S
from proxy.policy.health import places

Figure: TypeAlias = float | int | str | bool | None
Figures: TypeAlias = dict[str, "Figure | Figures | list[Figures]"]

HEALTH, RETRIES = HealthSettings(), RetrySettings()
OFFERS = LimitSettings().attempts_max
MARGIN_S = 600.0
"""From an event's end on until the hours count as calm again: the longest rest, and some more."""
QUIET_MARGIN_S = 60.0
"""The same for runs too short for that."""
SOON_S = 10
"""In which a failing endpoint has to be left."""
OUTAGES = frozenset({"refuses", "truncates", "hangs"})
SHARE_OFF_MAX, PROBES_SHARE_MAX = 0.02, 0.01
GRACE_S = 20.0
"""Until the probe was drawn and read to its end, and others came back."""
LOOK_S = 10
"""Shares of traffic are looked at over so long."""
BROKE = "broke off"
LONG_S = 30.0
"""Clients that waited so long for their first token are counted."""
SHARE_MIN = 0.1
"""Smaller shares of traffic say nothing within seconds."""
SLIDE_MAX = 1.02
"""Of the budget: what was paid when traffic was denser may stand beside fewer requests a little later."""


def summary(notes: Notes) -> Figures:
    """Everything that is printed of a run."""
    served = sum(notes.attempts.values())
    extra = sum(notes.paid) + sum(notes.free)
    return {
        "requests": notes.requests_all,
        "served": served,
        "client_errors": len(notes.failures),
        "errors": _told(notes.failures, notes.script.events),
        "attempts_per_request": round((notes.requests_all + extra) / notes.requests_all, 5),
        "attempts_of_served": {str(n): many for n, many in sorted(notes.attempts.items())},
        "extra_paid": sum(notes.paid),
        "extra_free": sum(notes.free),
        "budget_use_max": round(max(budget_use(notes)), 4),
        "ejected_max": notes.ejected_max,
        "rests": dict(Counter(span.why for span in notes.spans).items()),
        "calm_shares": _shares(notes),
        "events": [_event(notes, event) for event in notes.script.events],
        "ttft_s": {kind: _ttft(notes, kind) for kind in KINDS},
        "favourite_changes": {
            kind: favourite_changes(notes, kind) for kind in ("nitro", "latency")
        },
        "checks": dict(checks(notes)),
    }


def checks(notes: Notes) -> dict[str, bool]:
    """What must hold, by its words."""
    single = [e for e in notes.script.events if e.kind in OUTAGES and len(e.who) == 1]
    return {
        "calm shares follow price^-2": all(
            abs(found - due) <= SHARE_OFF_MAX for found, due in calm_shares(notes).values()
        ),
        "10 s into an outage only probes are left": all(
            after(notes, e) <= PROBES_SHARE_MAX for e in single if e.kind != "hangs"
        ),
        "who recovers is back when its rest is over": all(
            back is not None and back <= rest_left(notes, e) + GRACE_S
            for e in single
            if (back := recovered_s(notes, e)) is not None or e.ends + MARGIN_S < notes.script.span_s
        ),
        "whenever the budget pays, 20 % and 10/s are kept to": max(
            (used for second, used in enumerate(budget_use(notes, free=False)) if notes.paid[second]),
            default=0.0,
        ) <= 1.0,
        "in every 10 s, attempts for free included, within 2 %": max(budget_use(notes)) <= SLIDE_MAX,
        "no error where every plan has somebody who could serve": not [
            f for f in notes.failures
            if f.healthy > len(notes.endpoints) - OFFERS and not f.why.startswith(BROKE)
        ],
        "breakers rest at most half": notes.ejected_max <= places(len(notes.endpoints), HEALTH),
    }  # fmt: skip


def calm_shares(notes: Notes) -> dict[str, tuple[float, float]]:
    """By endpoint: the share of default traffic that asked it first in calm hours, and its due."""
    margin = MARGIN_S if notes.script.span_s > 10 * MARGIN_S else QUIET_MARGIN_S
    calm = list(notes.script.calm(margin))
    found = {
        id_: sum(_sum(notes.first_at["default", id_], begins, ends) for begins, ends in calm)
        for id_ in notes.endpoints
    }
    all_ = max(sum(found.values()), 1)
    due_all = sum(notes.weights.values())
    return {id_: (found[id_] / all_, notes.weights[id_] / due_all) for id_ in notes.endpoints}


def budget_use(notes: Notes, *, free: bool = True) -> list[float]:
    """By second: attempts beyond the first in the 10 s up to then, as a share of those allowed.

    Args:
        free: count those as well that cost no budget.
    """
    extra = [
        paid + (gratis if free else 0) for paid, gratis in zip(notes.paid, notes.free, strict=True)
    ]
    least, use = RETRIES.budget_per_s * WINDOW_S, []
    for second in range(notes.seconds):
        window = slice(max(second - WINDOW_S + 1, 0), second + 1)
        requests = sum(notes.requests[window])
        use.append(sum(extra[window]) / (least + RETRIES.budget_share * requests))
    return use


def after(notes: Notes, event: Event) -> float:
    """Attempts at those who suffer while they do, from 10 s after its begin on, per request."""
    seconds = [n for n in range(int(event.begins) + SOON_S, int(event.ends)) if event.on(n)]
    tried = sum(notes.started_at[id_][n] for id_ in _ids(notes, event) for n in seconds)
    return tried / max(sum(notes.requests[n] for n in seconds), 1)


def rest_left(notes: Notes, event: Event) -> float:
    """How long who suffered is still left alone, or asked last, when it is over; seconds."""
    ids = _ids(notes, event)
    open_ = [
        span.ends for span in notes.spans if span.endpoint in ids and span.begins <= event.ends < span.ends
    ]  # fmt: skip
    return max(open_, default=event.ends) - event.ends


def recovered_s(notes: Notes, event: Event, kind: str = "default") -> float | None:
    """From its end: when who suffered is asked first at least half as often as before again."""
    share = _share(notes, event, kind, (event.begins - MARGIN_S, event.begins))
    last = min(event.ends + 2 * MARGIN_S, notes.script.span_s - LOOK_S)
    for second in range(int(event.ends), int(last)):
        if _share(notes, event, kind, (second, second + LOOK_S)) >= share / 2:
            return second - event.ends
    return None


def left_s(notes: Notes, event: Event, kind: str = "default") -> float | None:
    """From its begin: when who suffers is asked first less than a tenth as often as before."""
    share = _share(notes, event, kind, (event.begins - MARGIN_S, event.begins))
    for second in range(int(event.begins), int(event.ends) - LOOK_S):
        if _share(notes, event, kind, (second, second + LOOK_S)) < share / 10:
            return second - event.begins
    return None


def _share(notes: Notes, event: Event, kind: str, span: tuple[float, float]) -> float:
    """Share of a kind that asked those first who suffer."""
    begins, ends = max(span[0], 0.0), span[1]
    asked = {id_: _sum(notes.first_at[kind, id_], begins, ends) for id_ in notes.endpoints}
    return sum(asked[id_] for id_ in _ids(notes, event)) / max(sum(asked.values()), 1)


def favourite_changes(notes: Notes, kind: str) -> int:
    """Minutes in which another endpoint is asked first by most than in the minute before."""
    favourites = [
        max(notes.endpoints, key=lambda id_: _sum(notes.first_at[kind, id_], at, at + 60))
        for at in range(0, int(notes.script.span_s), 60)
    ]
    return sum(one != before for before, one in pairwise(favourites))


def _event(notes: Notes, event: Event) -> Figures:
    ids = _ids(notes, event)
    within = [s for s in notes.spans if s.endpoint in ids and event.begins <= s.begins < event.ends]
    rests = [s.begins - event.begins for s in within if s.why != "trouble"]
    troubles = [s.begins - event.begins for s in within if s.why == "trouble"]
    soon = event.begins, event.begins + SOON_S
    before = event.begins - MARGIN_S, event.begins
    return {
        "event": event.name,
        "requests": _sum(notes.requests, event.begins, event.ends),
        "attempts_there_first_10_s": sum(_sum(notes.started_at[id_], *soon) for id_ in ids),
        "attempts_there_per_request_then": round(after(notes, event), 5),
        "asked_last_after_s": _least(troubles),
        "first_rest_after_s": _least(rests),
        "rests": len(rests),
        "rest_left_s": round(rest_left(notes, event), 1),
        "asked_first": {
            kind: {"left_s": left_s(notes, event, kind), "back_s": recovered_s(notes, event, kind)}
            for kind in KINDS
            if len(ids) == 1 and _share(notes, event, kind, before) >= SHARE_MIN
        },
        "ttft_s": {kind: _ttft(notes, kind, event.begins, event.ends) for kind in KINDS},
        "extra_attempts": _sum(notes.paid, event.begins, event.ends)
        + _sum(notes.free, event.begins, event.ends),
        "waited_30_s": sum(
            waited > LONG_S
            for times, waits in notes.ttft.values()
            for waited in waits[bisect_left(times, event.begins) : bisect_left(times, event.ends)]
        ),
        "client_errors": sum(event.begins <= f.at < event.ends + SOON_S for f in notes.failures),
    }


def _told(failures: Iterable[Failed], events: Iterable[Event]) -> Figures:
    """Client errors by cause, by what was the matter, and by how many could have served."""
    told: Counter[str] = Counter()
    for one in failures:
        during = [e.name for e in events if e.begins <= one.at < e.ends + SOON_S]
        told[f"{one.why} | {', '.join(during) or 'calm'} | {one.healthy} healthy"] += 1
    return dict(told.most_common())


def _shares(notes: Notes) -> Figures:
    return {
        id_: {"found": round(found, 4), "due": round(due, 4)}
        for id_, (found, due) in calm_shares(notes).items()
    }


def _ttft(notes: Notes, kind: str, begins: float = 0.0, ends: float = math.inf) -> Figures:
    times, waits = notes.ttft[kind]
    found = sorted(waits[bisect_left(times, begins) : bisect_left(times, ends)])
    return {f"p{percent:g}": round(percentile(found, percent), 3) for percent in (50, 99, 99.9)}


def percentile(ordered: list[float], percent: float) -> float:
    """The least value that `percent` of them do not exceed; 0 where there are none."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else 0.0


def _ids(notes: Notes, event: Event) -> list[str]:
    return [id_ for id_ in notes.endpoints if id_.partition(":")[0] in event.who]


def _sum(counts: Sequence[int], begins: float, ends: float) -> int:
    return sum(counts[int(begins) : int(ends)])


def _least(times: list[float]) -> float | None:
    return round(min(times), 1) if times else None
