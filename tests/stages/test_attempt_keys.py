"""An attempt at a provider with several keys: which one it sends, when it moves on, what it gives back."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from proxy.config.settings import Settings
from proxy.errors import CredentialsBusyError, ShedError, UpstreamRateLimitError
from proxy.model.endpoint import Credential
from proxy.model.observation import Observation
from proxy.model.outcome import Failure, Opened
from proxy.net.key import Lease
from proxy.net.keyring import Keyring
from proxy.stages.attempt import Attempt
from proxy.units import Seconds
from tests.fakes.downstream import a_gateway, namespace
from tests.fakes.scripts import encode
from tests.fakes.things import a_call, a_provider, an_endpoint
from tests.stages.test_attempt import WHOLE, FakeConnection, FakePool, head, run, streamed

ERROR = encode({"error": {"message": "no", "type": "x"}})


def refusal(status: str, *lines: str) -> bytes:
    length = f"Content-Length: {len(ERROR)}"
    return head("Content-Type: application/json", length, *lines, status=status) + ERROR


LIMITED = refusal("429 Too Many Requests", "Retry-After: 7")
REFUSED = refusal("401 Unauthorized")


class Desk:
    """A provider with keys, a pool, and what the gateway was told."""

    def __init__(
        self, *said: Credential, pool: FakePool, waiters_max: int = 9, affordable: bool = True
    ) -> None:
        self.pool = pool
        self.observed: list[Observation] = []
        self.withdrawn = 0
        self.began = 0
        self.affordable = affordable
        provider = a_provider(
            api_key=None if said else "env:K", credentials=said, credential_waiters_max=waiters_max
        )
        heads: list[Any] = [{"chat": b"key %d" % place} for place in range(max(len(said), 1))]
        clock: Any = trio.current_time
        self.ring = Keyring(provider, heads, clock=clock, on_rest=lambda *said: None)
        self.endpoint = an_endpoint(provider)
        upstream = namespace(pool=pool, keyring=self.ring, request=self._request)
        live = namespace(
            health=namespace(began=self._began),
            observe=self.observed.append,
            retries=namespace(withdraw=self._withdraw),
        )
        made = a_gateway(upstreams=namespace(of=lambda endpoint: upstream), settings=Settings())
        self.gateway: Any = namespace(
            settings=made.settings, upstreams=made.upstreams, clock=clock, unix=made.unix, live=live
        )

    def attempt(self, *, stream: bool = False, **fields: Any) -> Attempt:
        return Attempt(a_call(stream=stream, **fields), self.endpoint, self.gateway)

    @property
    def in_progress(self) -> list[int | None]:
        return [one.in_progress for one in self.ring.statistics()]

    @property
    def faults(self) -> list[str]:
        return [one.fault for one in self.observed]

    def _request(self, surface: Any, body: bytes, more: bytes, lease: Lease | None) -> bytes:
        assert lease is not None
        return lease.key.heads[surface]

    def _began(self, *said: object) -> None:
        self.began += 1

    def _withdraw(self, now: float) -> bool:
        self.withdrawn += 1
        return self.affordable


KEY = Credential("env:K")
ONE = Credential("env:K", max_concurrency=1)


def connections(*replies: bytes) -> list[FakeConnection]:
    return [FakeConnection(reply, b"") for reply in replies]


# --- moving on -------------------------------------------------------------------------------------
@pytest.mark.parametrize("said", [LIMITED, REFUSED])
@pytest.mark.parametrize("stream", [False, True])
async def test_where_a_key_is_to_blame_another_serves_and_the_endpoint_hears_nothing(
    said: bytes, stream: bool
) -> None:
    served = connections(said, streamed() if stream else WHOLE)
    desk = Desk(KEY, KEY, pool=FakePool(fresh=list(served)))
    tried = desk.attempt(stream=stream)
    result = await run(tried)

    assert isinstance(result, Opened)
    assert [b"key 0", b"key 1"] == [one.sent for one in served]
    assert ([], 1, 1) == (desk.observed, desk.withdrawn, desk.began)
    first, second = desk.ring.statistics()
    assert (said is REFUSED, None) == (first.reason == "credential", second.reason)
    assert [0, int(stream)] == desk.in_progress
    result.reply.close()
    result.reply.close()
    assert [0, 0] == desk.in_progress


async def test_a_429_within_a_stream_before_its_content_moves_on_too() -> None:
    body = b'data: {"error":{"message":"slow down","code":429}}\n\n'
    served = connections(streamed(body), streamed())
    desk = Desk(KEY, KEY, pool=FakePool(fresh=list(served)))
    result = await run(desk.attempt(stream=True))

    assert isinstance(result, Opened)
    assert b"slow down" not in b"".join(result.held)
    assert (1, "rate_limit") == (desk.withdrawn, desk.ring.statistics()[0].reason)
    result.reply.close()


async def test_it_moves_on_once_and_then_fails_without_blame_for_the_endpoint() -> None:
    pool = FakePool(fresh=connections(LIMITED, LIMITED, WHOLE))
    desk = Desk(KEY, KEY, KEY, pool=pool)
    result = await run(desk.attempt())

    assert isinstance(result, Failure)
    assert isinstance(result.error, UpstreamRateLimitError)
    assert (7.0, ["gateway"]) == (result.retry_after_s, desk.faults)
    assert (["rate_limit", "rate_limit", None], [0, 0, 0]) == (
        [one.reason for one in desk.ring.statistics()],
        desk.in_progress,
    )


async def test_it_stays_where_the_retry_budget_is_spent() -> None:
    desk = Desk(KEY, KEY, pool=FakePool(fresh=connections(LIMITED, WHOLE)), affordable=False)
    result = await run(desk.attempt())

    assert isinstance(result, Failure)
    assert (1, [0, 0]) == (desk.withdrawn, desk.in_progress)


async def test_it_stays_where_no_other_key_is_free_and_asks_no_budget() -> None:
    desk = Desk(ONE, ONE, pool=FakePool(fresh=connections(LIMITED)))
    tried = desk.attempt()
    assert desk.ring.take(1, Seconds(trio.current_time())) is not None
    result = await run(tried)

    assert isinstance(result, Failure)
    assert (0, ["gateway"]) == (desk.withdrawn, desk.faults)


async def test_it_fails_with_the_first_error_where_no_connection_is_left() -> None:
    desk = Desk(KEY, KEY, pool=FakePool(fresh=connections(REFUSED)))
    result = await run(desk.attempt())

    assert isinstance(result, Failure)
    assert (502, [0, 0]) == (result.error.status, desk.in_progress)


async def test_a_single_key_that_was_refused_rests_and_the_failure_is_as_ever() -> None:
    desk = Desk(pool=FakePool(fresh=connections(REFUSED, LIMITED, WHOLE)))
    results = [await run(desk.attempt()) for _ in range(3)]

    assert [Failure, Failure, Opened] == [type(one) for one in results]
    assert (0, ["credential", "rate_limit"]) == (desk.withdrawn, desk.faults)
    assert desk.ring.statistics()[0].reason is None, "the success has cleared it"


async def test_another_failure_says_nothing_of_the_key() -> None:
    pool = FakePool(fresh=connections(refusal("500 Broken"), WHOLE))
    desk = Desk(KEY, KEY, pool=pool)
    result = await run(desk.attempt())

    assert isinstance(result, Failure)
    assert (["endpoint"], [None, None], [0, 0]) == (
        desk.faults,
        [one.reason for one in desk.ring.statistics()],
        desk.in_progress,
    )


# --- limits ----------------------------------------------------------------------------------------
async def test_its_tokens_are_the_prompts_bytes_by_four_and_the_output_cap() -> None:
    desk = Desk(Credential("env:K", tpm=150), pool=FakePool(fresh=connections(WHOLE, WHOLE)))
    await run(desk.attempt(max_tokens=50))  # 400 bytes of prompt

    assert (1, 150) == (
        desk.ring.statistics()[0].requests_60s,
        desk.ring.statistics()[0].tokens_60s,
    )


async def test_a_request_counts_when_it_is_sent_and_once_though_its_connection_was_dead(
    autojump_clock: MockClock,
) -> None:
    dead = FakeConnection(b"", served=3)
    desk = Desk(Credential("env:K", rpm=9), pool=FakePool(dead, fresh=connections(WHOLE)))
    tried = desk.attempt()
    assert 0 == desk.ring.statistics()[0].requests_60s
    result = await run(tried)

    assert isinstance(result, Opened)
    assert (1, [0]) == (desk.ring.statistics()[0].requests_60s, desk.in_progress)
    limits = desk.ring.keys[0].allowance
    assert limits is not None
    assert [trio.current_time()] == [when for when, _ in limits._sent], "not when it was sent last"


# --- waiting ---------------------------------------------------------------------------------------
def busy() -> tuple[Desk, Lease]:
    """The only key is in use; there is one connection."""
    desk = Desk(ONE, pool=FakePool(fresh=connections(WHOLE)), waiters_max=1)
    lease = desk.ring.take(1, Seconds(0.0))
    assert lease is not None
    return desk, lease


async def test_it_waits_for_a_key_through_any_number_of_cancels(autojump_clock: MockClock) -> None:
    desk, lease = busy()
    tried = desk.attempt()
    assert not tried.wake_at(0), "the watch cannot interrupt a wait for a key"
    for _ in range(3):
        with trio.move_on_after(0.5) as scope:
            await tried.drive()
        assert scope.cancelled_caught
    assert (1, 1) == (desk.ring.waiting, len(desk.pool._fresh)), "no connection while it waits"
    lease.release()

    assert isinstance(await run(tried), Opened)
    assert (0, [0]) == (desk.ring.waiting, desk.in_progress)


async def test_a_key_that_does_not_come_in_time_is_our_own_429(autojump_clock: MockClock) -> None:
    desk, _ = busy()
    tried = desk.attempt()
    with trio.move_on_at(tried.deadline):
        await tried.drive()
    late = tried.overdue()

    assert isinstance(late.error, CredentialsBusyError)
    assert ("became free in time" in late.error.message, ["gateway"]) == (True, desk.faults)
    assert (0, [1], False) == (desk.ring.waiting, desk.in_progress, late.sent)


async def test_too_many_who_wait_are_told_at_once_and_no_probe_began(
    autojump_clock: MockClock,
) -> None:
    desk, _ = busy()
    first = desk.attempt()
    with pytest.raises(CredentialsBusyError, match="More than 1"):
        desk.attempt()
    assert 1 == desk.began
    first.close()
    first.close()
    assert 0 == desk.ring.waiting


async def test_one_that_is_abandoned_with_a_key_that_has_just_come_hands_it_on(
    autojump_clock: MockClock,
) -> None:
    desk, lease = busy()
    tried = desk.attempt()
    lease.release()
    assert [1] == desk.in_progress
    tried.abandon()

    assert [0] == desk.in_progress


@pytest.mark.parametrize("wakes", range(6))
async def test_nothing_is_kept_wherever_it_is_cancelled_and_closed(
    autojump_clock: MockClock, wakes: int
) -> None:
    """Waits: for the key, to connect, to send, for the head, for the rest; then it is over."""
    desk, lease = busy()
    desk.pool._fresh = [FakeConnection(0.2, WHOLE[:40], 0.2, WHOLE[40:])]
    tried = desk.attempt()
    with trio.move_on_after(0.05):
        await tried.drive()
    lease.release()
    for _ in range(wakes):
        with trio.move_on_after(0.09):
            await tried.drive()
    tried.close()

    assert (0, [0], []) == (desk.ring.waiting, desk.in_progress, desk.pool.waiting)
    assert len(desk.pool.given) + len(desk.pool.discarded) == 1 - len(desk.pool._fresh)


async def test_a_key_is_not_kept_where_no_connection_is_to_be_had() -> None:
    desk = Desk(ONE, pool=FakePool())
    with pytest.raises(ShedError):
        desk.attempt()

    assert ([0], 0) == (desk.in_progress, desk.began)


async def test_a_key_that_has_come_is_not_kept_where_no_connection_is_to_be_had(
    autojump_clock: MockClock,
) -> None:
    desk, lease = busy()
    desk.pool._fresh = []
    tried = desk.attempt()
    lease.release()
    result = await run(tried)

    assert isinstance(result, Failure)
    assert ([0], ["gateway"]) == (desk.in_progress, desk.faults)
