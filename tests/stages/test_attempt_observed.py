"""What an attempt that failed, or was given up, tells those who keep statistics; and the retry budget."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from proxy.errors import UpstreamUnavailableError
from proxy.model.observation import Fault, Observation
from proxy.model.outcome import NOTHING, Failure, Opened
from proxy.stages.attempt import Attempt
from proxy.units import Seconds
from tests.fakes.downstream import a_gateway, namespace
from tests.fakes.things import a_call
from tests.stages.test_attempt import (
    ENDPOINT,
    WHOLE,
    FakeConnection,
    FakePool,
    head,
    run,
    streamed,
)

REFUSAL = b'{"error":{"message":"no"}}'


class Heard:
    """Health and board in one: keeps what is told, in order."""

    def __init__(self) -> None:
        self.told: list[str | Observation] = []
        self.health = self

    def began(self, endpoint: Any, now: Seconds) -> None:
        self.told.append("began")

    def observe(self, observation: Observation) -> None:
        self.told.append(observation)

    @property
    def last(self) -> Observation:
        assert isinstance(self.told[-1], Observation)
        assert ["began"] == self.told[:-1]
        return self.told[-1]


def attempt(pool: FakePool, heard: Heard, *, stream: bool = True) -> Attempt:
    upstream = namespace(pool=pool, keyring=None, request=lambda *_: b"POST")
    real = a_gateway(upstreams=namespace(of=lambda endpoint: upstream))
    gateway = namespace(
        live=heard, upstreams=real.upstreams, settings=real.settings, clock=real.clock,
        unix=real.unix,
    )  # fmt: skip
    return Attempt(a_call(stream=stream), ENDPOINT, gateway)


def refusal(status: str, *lines: str) -> bytes:
    return head(*lines, f"Content-Length: {len(REFUSAL)}", status=status) + REFUSAL


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ("400 Bad Request", "request"),
        ("401 Unauthorized", "credential"),
        ("403 Forbidden", "endpoint"),
        ("404 Not Found", "endpoint"),
        ("429 Too Many Requests", "rate_limit"),
        ("500 Internal Server Error", "endpoint"),
    ],
)
async def test_a_failure_is_told_once_with_whose_fault_it_is(status: str, fault: Fault) -> None:
    heard = Heard()
    pool = FakePool(fresh=[FakeConnection(refusal(status, "Retry-After: 7"))])
    result = await run(attempt(pool, heard))

    assert isinstance(result, Failure)
    assert (fault, 7.0) == (heard.last.fault, heard.last.retry_after_s)
    assert (None, False) == (heard.last.ttft_s, heard.last.censored)


async def test_who_is_overdue_took_at_least_as_long_as_it_was_waited_for(
    autojump_clock: MockClock,
) -> None:
    heard = Heard()
    tried = attempt(FakePool(fresh=[FakeConnection(1000.0)]), heard)
    await tried.drive()
    await trio.sleep(60)
    tried.overdue()

    assert ("endpoint", True, True) == (heard.last.fault, heard.last.streamed, heard.last.censored)
    assert pytest.approx(60) == heard.last.ttft_s


async def test_a_reply_that_is_not_streamed_has_no_time_to_its_first_token(
    autojump_clock: MockClock,
) -> None:
    heard = Heard()
    tried = attempt(FakePool(fresh=[FakeConnection(1000.0)]), heard, stream=False)
    await tried.drive()
    await trio.sleep(60)
    tried.overdue()

    assert (None, False) == (heard.last.ttft_s, heard.last.censored)


async def test_who_is_given_up_is_told_as_the_clients_doing(autojump_clock: MockClock) -> None:
    heard = Heard()
    tried = attempt(FakePool(fresh=[FakeConnection(1000.0)]), heard)
    await tried.drive()
    await trio.sleep(3)
    tried.abandon()

    assert ("client", True) == (heard.last.fault, heard.last.censored)
    assert pytest.approx(3) == heard.last.ttft_s


async def test_what_was_not_sent_is_no_sign_of_how_long_a_provider_takes(
    autojump_clock: MockClock,
) -> None:
    for end in ("overdue", "abandon"):
        heard = Heard()
        tried = attempt(FakePool(fresh=[FakeConnection(1000.0)]), heard)
        await trio.sleep(3)
        getattr(tried, end)()

        assert heard.last.ttft_s is None


async def test_an_attempt_that_cannot_begin_is_nobodys_probe() -> None:
    heard = Heard()
    with pytest.raises(Exception, match="full"):
        attempt(FakePool(), heard)

    assert [] == heard.told


async def test_what_left_us_may_have_been_seen() -> None:
    dead = FakeConnection(b"")
    refused = FakeConnection(connect=UpstreamUnavailableError("refused"))
    for connection, sent in ((dead, True), (refused, False)):
        result = await run(attempt(FakePool(fresh=[connection]), Heard()))
        assert isinstance(result, Failure)
        assert sent is result.sent


async def test_what_was_sent_on_a_connection_that_died_may_have_been_seen() -> None:
    """The replacement could not connect; the first one may have brought the request there."""
    refused = FakeConnection(connect=UpstreamUnavailableError("refused"))
    result = await run(attempt(FakePool(FakeConnection(b"", served=1), fresh=[refused]), Heard()))

    assert isinstance(result, Failure)
    assert result.sent


# --- what lost, and what it costs ------------------------------------------------------------------
@pytest.mark.parametrize(("winner_s", "ttft_s"), [(0.0, 3.0), (2.0, 3.0), (5.0, 5.0), (7.0, None)])
async def test_who_lost_took_at_least_as_long_as_the_winner_unless_it_had_hardly_begun(
    autojump_clock: MockClock, winner_s: float, ttft_s: float | None
) -> None:
    heard = Heard()
    tried = attempt(FakePool(fresh=[FakeConnection(1000.0)]), heard)
    await tried.drive()
    await trio.sleep(3)
    dropped = tried.abandon(winner_s)

    assert ("client", True) == (heard.last.fault, heard.last.censored)
    assert (None if ttft_s is None else pytest.approx(ttft_s)) == heard.last.ttft_s
    assert (ENDPOINT, "estimated", 100, 0) == (
        dropped.endpoint, dropped.owed.basis, dropped.owed.prompt_tokens,
        dropped.owed.completion_tokens,
    )  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
async def test_who_opened_too_late_is_closed_and_told_with_its_own_time(
    autojump_clock: MockClock, stream: bool
) -> None:
    heard = Heard()
    pool = FakePool(fresh=[FakeConnection(2.0, streamed()[:900] if stream else WHOLE)])
    tried = attempt(pool, heard, stream=stream)
    result = await run(tried)
    dropped = tried.abandon(9.0)

    assert isinstance(result, Opened)
    assert 1 == len(pool.discarded) + len(pool.given)
    assert ("client", False) == (heard.last.fault, heard.last.censored)
    assert pytest.approx(2.0) == heard.last.ttft_s
    assert ("estimated" if stream else "reported") == dropped.owed.basis
    assert 0 < dropped.owed.completion_tokens


async def test_what_was_never_sent_owes_nothing() -> None:
    tried = attempt(FakePool(fresh=[FakeConnection()]), Heard())

    assert NOTHING == tried.abandon().owed


async def test_a_failure_owes_nothing_unless_we_ended_it(autojump_clock: MockClock) -> None:
    refused = await run(
        attempt(FakePool(fresh=[FakeConnection(refusal("500 Internal Server Error"))]), Heard())
    )
    late = attempt(FakePool(fresh=[FakeConnection(1000.0)]), Heard())
    await late.drive()
    await trio.sleep(60)

    assert isinstance(refused, Failure)
    assert (NOTHING, "estimated") == (refused.owed, late.overdue().owed.basis)
