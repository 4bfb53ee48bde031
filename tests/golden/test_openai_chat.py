"""Golden cases of the dialect, as data: a client's request and a provider's reply, and both translations.

A case is `openai_chat/<case>.json`: `request` (raw JSON text, so that order and repeated keys can be
said), `surface`, `quirks`, `sent` (what the provider gets, in order), then `status` with `frames` of
a stream or one `reply`, and `told` (what the client gets, [DONE] included).
"""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.dialects.registry import DIALECTS
from proxy.model.event import Ended, Event, Failed, Native, Usage
from proxy.model.meter import Delivered
from proxy.policy.pricing import bill, billable
from tests.fakes.things import a_provider, an_endpoint

CASES = sorted((Path(__file__).parent / "openai_chat").glob("*.json"))
DIALECT = DIALECTS["openai-chat"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_golden_case_is_translated_both_ways(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))

    sent, told = check(case)

    assert case["sent"] == sent
    assert list(case["sent"]) == list(sent)
    assert case["told"] == told


def test_there_are_golden_cases() -> None:
    assert CASES


def check(case: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Run one exchange through the dialect: (what the provider gets, what the client gets)."""
    provider = a_provider(quirks=frozenset(case.get("quirks", [])))
    endpoint = an_endpoint(provider=provider)
    call = DIALECT.decode_request(orjson.loads(case["request"]), case.get("surface", "chat"))
    call.generation_id, call.created, call.prompt_bytes = "gen-1", 1_700_000_000, 400
    sent = orjson.loads(DIALECT.encode_request(call, endpoint))
    decoder = DIALECT.decode_response(call, endpoint, case.get("status", 200))
    encoder, delivered, out = DIALECT.encode_response(call, endpoint), Delivered(), b""
    for frame in case.get("frames") or [case["reply"]]:
        events: list[Event] = decoder.feed(
            frame.encode() if isinstance(frame, str) else orjson.dumps(frame)
        )
        delivered.note(events)
        out += encoder.feed(events)
        if any(isinstance(event, Failed) for event in events):
            return sent, _told(out)
        assert all(
            isinstance(e, Native | Ended | Usage) or isinstance(events[0], Native) for e in events
        )
    return sent, _told(
        out + encoder.feed([bill(billable(call, delivered, endpoint), endpoint.prices)])
    )


def _told(out: bytes) -> list[Any]:
    if not out.startswith(b"data: "):
        return [orjson.loads(out)]
    texts = [text.removeprefix("data: ") for text in out.decode().split("\n\n")[:-1]]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]
