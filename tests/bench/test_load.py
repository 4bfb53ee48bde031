"""wrk as the bench uses it: it counts, and it finds the one wrong reply among a thousand."""

import shutil

import pytest
from _pytest.mark import ParameterSet

from bench import mock
from bench.checks import Expected
from bench.load import Load, check, saturate
from bench.machine import Pinning
from bench.peers.peer import BenchError
from bench.posts import KINDS, Kind
from bench.replies import build
from bench.wrk_script import script
from tests.bench.mocks import (
    PLAIN,
    STREAM,
    Spoil,
    early_end,
    missing_delta,
    one_wrong,
    serving,
    swapped_end,
)

UNPINNED = Pinning(None, None)
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


def some(spoils: tuple[Spoil, ...]) -> list[ParameterSet]:
    """wrk runs whole seconds: the first two are tried each time, the others with all slow tests."""
    first, rest = spoils[:2], spoils[2:]
    return [*map(pytest.param, first), *(pytest.param(s, marks=pytest.mark.slow) for s in rest)]


@needs_wrk
@pytest.mark.parametrize(
    "kind",
    [
        "plain",
        pytest.param("chunks", marks=pytest.mark.slow),
        pytest.param("translate", marks=pytest.mark.slow),
        "translate_stream",
    ],
)
def test_right_replies_pass_the_check_in_lua(kind: Kind) -> None:
    with serving() as target:
        found = saturate(target, Load(check(target, kind), 4, 1), UNPINNED)

    assert found.requests > 50
    assert 0 < found.p50_us <= found.p99_us
    assert 0 == found.late


@needs_wrk
@pytest.mark.parametrize("spoil", some(PLAIN))
def test_wrk_finds_one_wrong_reply_in_a_thousand(spoil: Spoil) -> None:
    with serving(one_wrong(spoil)) as target, pytest.raises(BenchError, match="direct, plain: "):
        saturate(target, Load(check(target, "plain"), 4, 1), UNPINNED)


@needs_wrk
@pytest.mark.parametrize("spoil", some(STREAM))
def test_wrk_finds_one_wrong_stream_in_a_thousand(spoil: Spoil) -> None:
    with serving(one_wrong(spoil)) as target, pytest.raises(BenchError, match="direct, burst: "):
        saturate(target, Load(check(target, "burst"), 4, 1), UNPINNED)


@needs_wrk
def test_what_is_wrong_is_quoted() -> None:
    with serving(one_wrong(missing_delta, 20)) as target, pytest.raises(BenchError) as caught:
        saturate(target, Load(Expected("chunks"), 2, 1), UNPINNED)

    assert "a wrong reply: 63 pieces of text instead of 64, " in str(caught.value)
    assert "chat.completion.chunk" in str(caught.value)


@needs_wrk
@pytest.mark.slow
def test_without_the_check_nothing_is_found() -> None:
    with serving(one_wrong(swapped_end, 20)) as target:
        assert saturate(target, Load(Expected("plain"), 2, 1, checked=False), UNPINNED).requests


def test_a_first_reply_says_what_to_expect_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mock, "PACE_S", 0.001)
    with serving() as target:
        for kind in KINDS:
            expected = check(target, kind)
            assert expected.usage
            assert (kind, kind.startswith("translate")) == (expected.kind, expected.anthropic)
        assert '"}' == check(target, "plain").tail
        assert '"}}' == check(target, "translate").tail


def test_a_first_reply_is_judged_as_well() -> None:
    with (
        serving([early_end(build()[0])]) as target,
        pytest.raises(BenchError, match="direct, chunks: a wrong reply: no last event: b'data"),
    ):
        check(target, "chunks")


def test_the_script_has_the_request_and_the_rules() -> None:
    with serving() as target:
        text = script(target.post("large"), Expected("large", usage=False))

    assert f"[==[{target.post('large').body.decode()}]==]" in text
    assert 'wrk.headers["Content-Type"] = "application/json"' in text
    assert "if false and not find" in text
    assert "response" not in script(target.post("plain"), None)
