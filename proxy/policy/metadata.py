"""`openrouter_metadata`: how a reply came about, for clients that asked for it.

Shape: OpenRouter's OpenAPI document of 2026-08, OpenRouterMetadata; `notes`, `out`, `began_ms`,
`waited_ms` and `hedge` are ours.
"""

from collections.abc import Sequence

from proxy.model.document import Document, Json
from proxy.model.endpoint import Endpoint
from proxy.model.explanation import Explanation
from proxy.model.meter import Tried
from proxy.units import Seconds


def routing_document(
    explanation: Explanation, trail: Sequence[Tried], received_at: Seconds,
    served: Endpoint | None,
) -> Document:  # fmt: skip
    """The document.

    Args:
        trail: every attempt, in the order in which they ended.
        served: who answered; None: nobody.
    """
    available: list[Json] = []
    for one in explanation.candidates:
        entry: Document = {
            "provider": one.provider,
            "model": one.model,
            "selected": served is not None and one.endpoint == served.id,
            "endpoint": one.endpoint,
        }
        if one.out:
            entry["out"] = [*one.out]
        available.append(entry)
    attempts: list[Json] = [_attempt(tried, received_at) for tried in trail]
    return {
        "requested": explanation.requested,
        "strategy": explanation.strategy,
        "region": None,
        "summary": _summary(explanation, served),
        "attempt": len(trail),
        "is_byok": served is not None and served.own_key is not None,
        "endpoints": {"total": len(available), "available": available},
        "attempts": attempts,
        "notes": [*explanation.notes],
    }


def _summary(explanation: Explanation, served: Endpoint | None) -> str:
    usable = sum(one.place is not None for one in explanation.candidates)
    return f"available={usable}, selected={served.provider.name if served else 'none'}"


def _attempt(tried: Tried, received_at: Seconds) -> Document:
    return {
        "provider": tried.endpoint.provider.name,
        "model": tried.endpoint.model,
        "status": tried.status,
        "endpoint": tried.endpoint.id,
        "outcome": tried.outcome,
        "began_ms": round((tried.began_at - received_at) * 1e3, 3),
        "waited_ms": round(tried.waited_s * 1e3, 3),
        "hedge": tried.hedge,
    }
