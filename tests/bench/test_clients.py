"""The Python clients: what they note, and that each finds the one wrong reply among many."""

import pytest

from bench import leaving, mock, pacing, ttfb
from bench.checks import Expected
from bench.clients import percentile
from bench.halfload import rate_of
from bench.machine import Pinning
from bench.peers.peer import BenchError
from bench.posts import Kind
from bench.replies import Replies
from bench.servers import Target
from tests.bench.mocks import PLAIN, STREAM, Spoil, failure, missing_delta, one_wrong, serving

UNPINNED = Pinning(None, None)


def steady(target: Target, kind: Kind, rate: float, seconds: float) -> ttfb.Ttfb:
    request = target.post(kind).encoded("mock").decode()
    return ttfb.drive(ttfb.Plan(target.port, request, Expected(kind), rate, seconds, seed=1))


@pytest.fixture
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paced stream takes a tenth of its time."""
    monkeypatch.setattr(mock, "PACE_S", 0.002)
    monkeypatch.setattr(pacing, "STREAM_S", 0.132)


def paced(target: Target, streams: int, seconds: float) -> pacing.Pace:
    request = target.post("paced").encoded("mock").decode()
    plan = pacing.Plan(target.port, request, Expected("paced"), streams, seconds)
    return pacing.drive(plan)


def test_the_first_byte_client_counts_what_the_mock_answers() -> None:
    with serving() as target:
        seen = steady(target, "burst", 200, 0.5)

    assert 40 < seen.counted <= seen.sent <= 200
    assert 0 < seen.p50_us <= seen.p99_us
    assert 0 == seen.unanswered


@pytest.mark.parametrize("spoil", PLAIN)
def test_the_first_byte_client_finds_one_wrong_reply_in_a_thousand(spoil: Spoil) -> None:
    with serving(one_wrong(spoil)) as target, pytest.raises(BenchError, match="a wrong reply: "):
        steady(target, "plain", 4_500, 0.25)


@pytest.mark.parametrize("spoil", STREAM)
def test_the_first_byte_client_finds_one_wrong_stream(spoil: Spoil) -> None:
    with (
        serving(one_wrong(spoil, 60)) as target,
        pytest.raises(BenchError, match="a wrong reply: "),
    ):
        steady(target, "chunks", 300, 0.25)


def test_a_client_of_its_own_process_ends_the_run_with_the_reason() -> None:
    with (
        serving(one_wrong(failure, 50)) as target,
        pytest.raises(
            BenchError, match="direct, plain, steady rate: a wrong reply: status 500: b'HTTP"
        ),
    ):
        ttfb.measure(target, Expected("plain"), 200, 0.5, UNPINNED)


@pytest.mark.usefixtures("_fast")
def test_the_pacing_client_sees_events_at_their_pace() -> None:
    with serving() as target:
        seen = paced(target, 5, 0.3)

    assert 0 == seen.unanswered
    assert 0 == seen.events % 67
    assert 1.5 < seen.gap_p50_ms < 3.5
    assert 1_000 < seen.events_per_s < 3_000
    assert 0 < seen.ttfb_p50_us <= seen.ttfb_p99_us


@pytest.mark.usefixtures("_fast")
@pytest.mark.parametrize("spoil", STREAM)
def test_the_pacing_client_finds_one_wrong_stream(spoil: Spoil) -> None:
    with (
        serving(one_wrong(spoil, 12)) as target,
        pytest.raises(BenchError, match="a wrong reply: "),
    ):
        paced(target, 12, 0.01)


def gone(replies: list[Replies] | None = None) -> leaving.Left:
    with serving(replies) as target:
        request = target.post("paced").encoded("mock").decode()
        return leaving.drive(leaving.Plan(target.port, target.port, request, 20, 1_000))


def test_clients_that_leave_are_seen_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "KEPT_S", 0.2)
    left = gone()

    assert 20 == left.closed
    assert 0.0 == left.kept
    assert 0 < left.p50_ms <= left.p99_ms < 200


def test_a_provider_that_never_sees_them_go_keeps_them_all() -> None:
    left = leaving._result({1: 10.0, 2: 11.0}, {1: 10.05, 3: 1.0}, unanswered=0)

    assert 0.5 == left.kept
    assert 50.0 == pytest.approx(left.p99_ms)


def test_a_client_that_means_to_leave_looks_at_what_it_was_sent() -> None:
    with pytest.raises(BenchError, match="no chunk of a stream"):
        gone(one_wrong(failure, 5))


def test_the_steady_rate_is_half_of_what_a_target_can_do_or_what_the_client_can() -> None:
    rates: dict[tuple[Kind, str], float] = {("plain", "a"): 130.0, ("plain", "b"): 90_000.0}

    assert [65.0, 6_000.0, 60.0] == [rate_of("plain", name, rates) for name in "abc"]


def test_arrivals_are_repeatable_and_have_the_rate_asked_for() -> None:
    times = ttfb.arrivals(1000, 2.0, seed=1)

    assert times == ttfb.arrivals(1000, 2.0, seed=1)
    assert times == sorted(times)
    assert 1800 < len(times) < 2200


def test_a_percentile_is_a_value_of_the_list() -> None:
    assert 2.0 == percentile([3.0, 1.0, 2.0], 0.5)
    assert 1.0 == percentile([1.0], 0.99)
    assert 0.0 == percentile([], 0.5)


def test_a_missing_delta_is_named() -> None:
    with (
        serving(one_wrong(missing_delta, 10)) as target,
        pytest.raises(BenchError, match="63 pieces of text instead of 64"),
    ):
        steady(target, "chunks", 100, 0.3)
