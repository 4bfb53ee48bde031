"""The official Node SDK through the gateway, compared with the same program pointed at the provider."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.recordings import ABSENT, Recording, load_recordings
from tests.fakes.scripts import SCRIPTS, TEXTS
from tests.sdk.meaning import Document, Heard, amended, counts, is_believable, seen, usage_of
from tests.sdk.rig import KEY, STALLED, ThreadedRig

NODE = Path(__file__).parent / "node"
CONVERSATION_S = 60.0
"""Longest one program may run, seconds."""
SAID = "".join(TEXTS)
SYNTHETIC = [f"synthetic/{name}" for name in SCRIPTS]
CHAT = [r for r in load_recordings() if not r.path.endswith("/v1/completions")]
STREAMS = [r for r in CHAT if r.stream and r.status == 200]
REPLIES = [r for r in CHAT if not r.stream and r.status == 200 and "_response.0" not in r.name]
REPLY_EVERY = 8
CLOSED_WITHIN_S = 0.4
"""Before the program ends, 0.5 s after it left."""
ERRORS = {
    400: ("BadRequestError", 400),
    401: ("InternalServerError", 502),
    403: ("InternalServerError", 502),
    404: ("NotFoundError", 404),
    429: ("RateLimitError", 429),
    500: ("InternalServerError", 502),
}

Line = tuple[str, Any]


def missing() -> str:
    """Why these tests cannot run; empty: they can."""
    if shutil.which("node") is None:
        return "the Node SDK is NOT tested: node is missing"
    if not (NODE / "node_modules" / "openai").is_dir():
        return "the Node SDK is NOT tested: run `npm ci` in tests/sdk/node (or `make dev`)"
    return ""


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "it is")


def play(base_url: str, scene: str, *models: str) -> list[list[Line]]:
    """Run the program; returns its lines, by model."""
    done = subprocess.run(
        ["node", "conversation.mjs", base_url, scene, *models],
        cwd=NODE,
        env={**os.environ, "OPENAI_API_KEY": KEY},
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


def documents(lines: list[Line]) -> list[Document]:
    return [value for kind, value in lines if kind in {"chunk", "reply"}]


def check_stream(direct: list[Line], through: list[Line]) -> None:
    """Same chunks, then the bill."""
    assert through[-1][0] == direct[-1][0]
    if through[-1][0] == "error":
        return
    *chunks, bill = documents(through)
    assert amended(Heard(documents(direct)), "delta", streamed=True) == seen(chunks)
    usage = usage_of(documents(direct))
    if is_believable(usage):
        assert counts(usage or {}) == counts(bill["usage"])
    assert all(choice["delta"] == {} for choice in bill["choices"])


def check_streams(rig: ThreadedRig, models: list[str]) -> None:
    direct, through = (play(url, "read", *models) for url in (rig.provider, rig.api))
    assert len(direct) == len(through) == len(models)
    for straight, ours in zip(direct, through, strict=True):
        check_stream(straight, ours)


def test_streams_yield_what_they_yield_without_the_gateway(rig: ThreadedRig) -> None:
    check_streams(rig, SYNTHETIC)


@pytest.mark.skipif(not STREAMS, reason=ABSENT)
def test_recorded_streams_yield_what_they_yield_without_the_gateway(rig: ThreadedRig) -> None:
    check_streams(rig, [recording.name for recording in STREAMS])


def check_replies(rig: ThreadedRig, models: list[str]) -> None:
    direct, through = (play(url, "whole", *models) for url in (rig.provider, rig.api))
    for straight, ours in zip(direct, through, strict=True):
        (reply,) = documents(ours)
        assert amended(Heard(documents(straight)), "message", streamed=False) == seen([reply])
        assert ("generation", reply["id"]) in ours


def test_replies_are_what_they_are_without_the_gateway(rig: ThreadedRig) -> None:
    check_replies(rig, SYNTHETIC)


@pytest.mark.skipif(not REPLIES, reason=ABSENT)
def test_recorded_replies_are_what_they_are_without_the_gateway(rig: ThreadedRig) -> None:
    sample: list[Recording] = REPLIES[::REPLY_EVERY]
    check_replies(rig, [recording.name for recording in sample])


def without_repeats(values: list[Any]) -> list[Any]:
    return [value for n, value in enumerate(values) if n == 0 or value != values[n - 1]]


def test_the_stream_helper_puts_the_same_message_together(rig: ThreadedRig) -> None:
    direct, through = (play(url, "helper", *SYNTHETIC) for url in (rig.provider, rig.api))

    for straight, ours in zip(direct, through, strict=True):
        said, told = ([line for line in lines if line[1] != ""] for lines in (straight, ours))
        for kind in ("content", "finish", "done"):
            assert [v for k, v in said if k == kind] == [v for k, v in told if k == kind]
        # This helper fires at each finish reason, and the usage event repeats it (docs/api.md).
        ends = [v for k, v in told if k == "arguments"]
        assert [v for k, v in said if k == "arguments"] == without_repeats(ends)
        (message,) = [v for k, v in said if k == "message"]
        (spoken,) = [v for k, v in told if k == "message"]
        spoken.pop("reasoning", None)
        assert message == spoken
        assert [v["total_tokens"] for k, v in told if k == "usage"] == [18]


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/v1", "/v1/"])
def test_every_base_url_serves_legacy_completions(path: str, rig: ThreadedRig) -> None:
    (lines,) = play(rig.gateway + path, "legacy", "synthetic/text")

    assert ("text", SAID) in lines
    assert "".join(value for kind, value in lines if kind == "delta") == SAID
    assert lines[-1] == ("done", "synthetic/text")


def test_models_are_listed(rig: ThreadedRig) -> None:
    (lines,) = play(rig.api, "models")

    assert ("model", "synthetic/text") in lines
    assert lines[-1][0] == "done"


@pytest.mark.parametrize("scene", ["read", "whole"])
def test_refusals_raise_the_class_of_their_status(scene: str, rig: ThreadedRig) -> None:
    plays = play(rig.api, scene, *(f"fault/status-{status}" for status in ERRORS))

    for (kind, told), lines in zip(ERRORS.values(), plays, strict=True):
        ((line, error),) = lines
        assert (line, error["class"], error["status"]) == ("error", kind, told)
        assert error["body"]["metadata"]["provider_name"] == "Quick"


@pytest.mark.parametrize("fault", ["error-midstream", "reset-mid-body"])
def test_a_stream_that_breaks_raises_behind_what_was_said(fault: str, rig: ThreadedRig) -> None:
    (lines,) = play(rig.api, "read", f"fault/{fault}")

    text = "".join(d["choices"][0]["delta"].get("content") or "" for d in documents(lines))
    assert text == "".join(TEXTS[:2])
    kind, error = lines[-1]
    assert (kind, error["class"], error["body"]["code"]) == ("error", "APIError", 502)


@pytest.mark.parametrize(
    ("scene", "model", "upstream"),
    [
        ("leave", "slow/long", "synthetic/long"),
        ("leave", "slow/stalled", STALLED),
        ("abort", "slow/long", "synthetic/long"),
        ("abort", "slow/stalled", STALLED),
    ],
)
def test_a_program_that_leaves_early_closes_the_provider(
    scene: str, model: str, upstream: str, rig: ThreadedRig
) -> None:
    (lines,) = play(rig.api, scene, model)
    ended_at = rig.now()
    served = rig.closed(upstream)

    assert served.aborted
    assert served.t_closed is not None
    assert ended_at - served.t_closed > CLOSED_WITHIN_S
    assert 3 <= len(documents(lines)) < 40
