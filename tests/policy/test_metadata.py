"""`openrouter_metadata` of a reply: its shape, and what is told of each attempt. (2.10)"""

from dataclasses import replace
from typing import Any

from proxy.model.meter import Tried
from proxy.policy.inquiry import explanation
from proxy.policy.metadata import routing_document
from proxy.units import Seconds
from tests.fakes.market import NOW, asking, at, knowing, market, seller

A, B = seller("a", 1), seller("b", 2)
FIRST = Tried(A, "provider_unavailable", 502, Seconds(NOW + 0.00125), 0.25)
SECOND = Tried(B, "won", 200, Seconds(NOW + 0.2512), 0.5)


def document(*trail: Tried, served: Any = None, **fields: Any) -> dict[str, Any]:
    found = explanation(asking(market(A, B), **fields), at(knowing()), attempts_max=2)
    return routing_document(found, trail, NOW, served)


def test_2_10_the_whole_shape() -> None:
    assert {
        "requested": "maker/model:beta",
        "strategy": "direct",
        "region": None,
        "summary": "available=2, selected=B",
        "attempt": 2,
        "is_byok": False,
        "endpoints": {
            "total": 2,
            "available": [
                {"provider": "A", "model": "maker/model", "selected": False, "endpoint": A.id},
                {"provider": "B", "model": "maker/model", "selected": True, "endpoint": B.id},
            ],
        },
        "attempts": [
            {
                "provider": "A", "model": "maker/model", "status": 502, "endpoint": A.id,
                "outcome": "provider_unavailable", "began_ms": 1.25, "waited_ms": 250.0, "hedge": False,
            },
            {
                "provider": "B", "model": "maker/model", "status": 200, "endpoint": B.id,
                "outcome": "won", "began_ms": 251.2, "waited_ms": 500.0, "hedge": False,
            },
        ],
        "notes": [":beta has no effect."],
    } == document(FIRST, SECOND, served=B, model="maker/model:beta")  # fmt: skip


def test_2_10_who_was_left_out_has_reasons() -> None:
    found = document(served=A, provider={"ignore": ["b"]})

    assert ["in provider.ignore"] == found["endpoints"]["available"][1]["out"]
    assert "out" not in found["endpoints"]["available"][0]
    assert "available=1, selected=A" == found["summary"]


def test_2_10_nobody_served_and_nobody_was_asked() -> None:
    found = document(provider={"only": ["nobody"]})

    assert (0, [], False, "available=0, selected=none") == (
        found["attempt"], found["attempts"], found["is_byok"], found["summary"],
    )  # fmt: skip
    assert not any(one["selected"] for one in found["endpoints"]["available"])


def test_2_10_a_callers_own_key_is_told() -> None:
    assert document(served=replace(A, own_key="first"))["is_byok"]
