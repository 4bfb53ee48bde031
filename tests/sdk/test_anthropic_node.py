"""Anthropic's Node SDK through the gateway, compared with the same program pointed at the provider."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.messages_recordings import replies
from tests.fakes.messages_scripts import MESSAGES_SCRIPTS
from tests.fakes.recordings import ABSENT
from tests.fakes.scripts import SCRIPTS, TEXTS
from tests.sdk.messages_meaning import Document, seen
from tests.sdk.rig import KEY, STALLED, ThreadedRig

NODE = Path(__file__).parent / "node"
CONVERSATION_S = 60.0
"""Longest one program may run, seconds."""
STREAMS = [one.name for one in replies() if one.stream]
ERRORS = {
    400: ("BadRequestError", 400, "invalid_request_error"),
    401: ("InternalServerError", 502, "api_error"),
    403: ("InternalServerError", 502, "api_error"),
    404: ("NotFoundError", 404, "not_found_error"),
    429: ("RateLimitError", 429, "rate_limit_error"),
}

Line = tuple[str, Any]


def missing() -> str:
    """Why these tests cannot run; empty: they can."""
    if shutil.which("node") is None:
        return "Anthropic's Node SDK is NOT tested: node is missing"
    if not (NODE / "node_modules" / "@anthropic-ai" / "sdk").is_dir():
        return "Anthropic's Node SDK is NOT tested: run `npm ci` in tests/sdk/node (or `make dev`)"
    return ""


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "it is")


def play(base_url: str, scene: str, *models: str) -> list[list[Line]]:
    """Run the program; returns its lines, by model."""
    done = subprocess.run(
        ["node", "messages.mjs", base_url, scene, *models],
        cwd=NODE,
        env={**os.environ, "ANTHROPIC_API_KEY": KEY},
        capture_output=True,
        timeout=CONVERSATION_S,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    plays: list[list[Line]] = [[]]
    for text in done.stdout.splitlines():
        line = json.loads(text)
        plays[-1].append((line["kind"], line["value"]))
        if line["kind"] in {"done", "error"}:
            plays.append([])
    assert not plays[-1]
    return plays[:-1]


def told(lines: list[Line], kind: str) -> list[Document]:
    return [value for name, value in lines if name == kind]


@pytest.mark.parametrize(("scene", "kind"), [("read", "event"), ("whole", "message")])
def test_a_provider_of_the_same_dialect_says_what_it_says_without_the_gateway(
    scene: str, kind: str, rig: ThreadedRig
) -> None:
    direct = play(rig.provider_root, scene, *(f"synthetic/{name}" for name in MESSAGES_SCRIPTS))
    through = play(rig.root, scene, *(f"messages/said-{name}" for name in MESSAGES_SCRIPTS))

    for expected, heard in zip(direct, through, strict=True):
        assert seen(told(expected, kind)) == seen(told(heard, kind))
        assert heard[-1][0] == "done"


@pytest.mark.skipif(not STREAMS, reason=ABSENT)
def test_recorded_streams_read_the_same(rig: ThreadedRig) -> None:
    direct, through = (play(url, "read", *STREAMS) for url in (rig.provider_root, rig.root))

    for name, expected, heard in zip(STREAMS, direct, through, strict=True):
        assert seen(told(expected, "event")) == seen(told(heard, "event")), name
        assert (expected[-1][0], heard[-1][0]) == ("done", "done")


def test_a_provider_of_the_other_dialect_says_the_same_text_and_calls(rig: ThreadedRig) -> None:
    plays = play(rig.root, "helper", *(f"synthetic/{name}" for name in SCRIPTS))

    for script, lines in zip(SCRIPTS.values(), plays, strict=True):
        assert lines[-1][0] == "done", lines
        assert "".join(str(text) for text in told(lines, "text")) == "".join(script.texts)
        (message,) = told(lines, "message")
        calls = [b for b in message["content"] if b["type"] == "tool_use"]
        assert [b["input"] for b in calls] == [json.loads(c.arguments) for c in script.tool_calls]
        assert message["usage"]["output_tokens"] == 7


@pytest.mark.parametrize("prefix", ["messages-fault", "fault"])
def test_refusals_raise_the_class_of_their_status(prefix: str, rig: ThreadedRig) -> None:
    plays = play(rig.root, "read", *(f"{prefix}/status-{status}" for status in ERRORS))

    for (kind, status, type_), lines in zip(ERRORS.values(), plays, strict=True):
        ((line, error),) = lines
        assert (line, error["class"], error["status"]) == ("error", kind, status)
        assert error["body"]["error"]["type"] == type_


def test_a_stream_that_breaks_raises_behind_what_was_said(rig: ThreadedRig) -> None:
    (lines,) = play(rig.root, "read", "messages-fault/error-midstream")

    said = [event["delta"].get("text", "") for event in told(lines, "event") if "delta" in event]
    assert "".join(said) == "".join(TEXTS[:2])
    assert lines[-1][0] == "error"


def test_tokens_are_counted(rig: ThreadedRig) -> None:
    (lines,) = play(rig.root, "count", "messages/said-text")

    assert told(lines, "count")[0]["input_tokens"] > 0


@pytest.mark.parametrize("scene", ["leave", "abort"])
@pytest.mark.parametrize(
    ("model", "upstream"),
    [("messages-slow/long", "synthetic/long"), ("messages-slow/stalled", STALLED)],
)
def test_a_program_that_leaves_early_closes_the_provider(
    scene: str, model: str, upstream: str, rig: ThreadedRig
) -> None:
    play(rig.root, scene, model)
    ended_at = rig.now()
    served = rig.closed(upstream)

    assert served.aborted
    assert served.t_closed is not None
    assert ended_at - served.t_closed > 0.4  # before the program ends, 0.5 s after it left
