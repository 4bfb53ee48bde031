"""Post or void, exactly once; free is what broke off upstream, or said nothing."""

import pytest
import trio
from trio.testing import MockClock

from proxy.ledger.interface import Entry, Hold
from proxy.model.event import Usage
from proxy.model.meter import Delivered, End, Meter, Tried
from proxy.policy.pricing import bill
from proxy.stages.settle import SETTLE_MAX_S, settle
from proxy.units import NanoDollars, Seconds
from tests.fakes.downstream import FakeLedger, a_gateway
from tests.fakes.things import PRICES, a_call, an_endpoint

HOLD = Hold(1, "open", NanoDollars(10**9), None)


async def settled(meter: Meter) -> list[tuple[str, object]]:
    ledger = FakeLedger()
    await settle(meter, HOLD, a_call(), a_gateway(ledger=ledger))
    return ledger.moves


async def test_a_complete_reply_is_posted_at_its_bill() -> None:
    usage = Usage(3, 4, raw={"prompt_tokens": 3})
    charge = bill(usage, PRICES)
    ((kind, entry),) = await settled(Meter(endpoint=an_endpoint(), charge=charge, end="complete"))

    assert "post" == kind
    assert Entry("gen-1-abc", "acme:maker/model", charge.cost, "", usage.raw, False) == entry


async def test_what_a_client_left_behind_is_billed_as_far_as_it_was_delivered() -> None:
    meter = Meter(endpoint=an_endpoint(), delivered=Delivered(output_bytes=40), end="left")
    ((kind, entry),) = await settled(meter)

    assert "post" == kind
    assert isinstance(entry, Entry)
    assert entry.estimated
    assert 0 < entry.amount < HOLD.amount


@pytest.mark.parametrize("end", [Meter().end, "left", "failed_upstream"])
async def test_what_said_nothing_is_free(end: End) -> None:
    assert [("void", end)] == await settled(Meter(endpoint=an_endpoint(), end=end))
    assert [("void", end)] == await settled(Meter(end=end))


@pytest.mark.parametrize("end", [Meter().end, "failed_upstream"])
async def test_what_broke_off_without_the_clients_doing_is_free(end: End) -> None:
    meter = Meter(endpoint=an_endpoint(), delivered=Delivered(output_bytes=400), end=end)

    assert [("void", end)] == await settled(meter)


async def test_it_waits_until_the_entry_is_durable(autojump_clock: MockClock) -> None:
    ledger = FakeLedger(lasts_s=2)
    await settle(Meter(), HOLD, a_call(), a_gateway(ledger=ledger))

    assert [trio.current_time()] == ledger.durable_at


async def test_a_client_that_leaves_cannot_stop_it(autojump_clock: MockClock) -> None:
    ledger = FakeLedger(lasts_s=2)
    with trio.move_on_after(1) as scope:
        await settle(Meter(), HOLD, a_call(), a_gateway(ledger=ledger))
        await trio.lowlevel.checkpoint()

    assert scope.cancelled_caught
    assert 1 == len(ledger.moves) == len(ledger.durable_at)


async def test_a_ledger_that_hangs_cannot_hang_us(autojump_clock: MockClock) -> None:
    started = trio.current_time()
    await settle(Meter(), HOLD, a_call(), a_gateway(ledger=FakeLedger(lasts_s=10**6)))

    assert SETTLE_MAX_S == pytest.approx(trio.current_time() - started)


async def test_attempts_and_tokens_are_counted() -> None:
    gateway = a_gateway(ledger=FakeLedger())
    meter = Meter(endpoint=an_endpoint(), charge=bill(Usage(3, 4), PRICES), end="complete")
    meter.trail += [
        Tried(an_endpoint("bad"), "timeout", 504, Seconds(0.0), 1.0),
        Tried(an_endpoint(), "won", 200, Seconds(0.0), 1.0),
    ]
    await settle(meter, HOLD, a_call(), gateway)
    text = gateway.statistics.render().decode()

    assert 'outcome="timeout"' in text
    assert 'provider="acme"' in text


WON = Tried(an_endpoint(), "won", 200, Seconds(0.0), 1.0)
LOST = Tried(an_endpoint("lost"), "lost", 499, Seconds(0.0), 1.0, True, "estimated", 100, 0, 200)


async def told(meter: Meter) -> tuple[Tried, ...]:
    """What the ledger is told of the attempts."""
    ledger = FakeLedger()
    await settle(meter, HOLD, a_call(), a_gateway(ledger=ledger))
    ((generation_id, account, records),) = ledger.told

    assert ("gen-1-abc", "open") == (generation_id, account)
    assert list(records) == meter.trail
    return records


@pytest.mark.parametrize(("estimated", "basis"), [(False, "reported"), (True, "estimated")])
async def test_the_ledger_hears_of_every_attempt_and_what_the_winner_costs(
    estimated: bool, basis: str
) -> None:
    charge = bill(Usage(3, 4, estimated=estimated), PRICES)
    meter = Meter(endpoint=an_endpoint(), charge=charge, end="complete", trail=[WON, LOST])
    won, lost = await told(meter)

    assert ("won", basis, 3, 4, charge.cost) == (
        won.outcome, won.basis, won.prompt_tokens, won.completion_tokens, won.cost,
    )  # fmt: skip
    assert LOST is lost


async def test_a_winner_that_broke_off_is_the_houses_loss() -> None:
    meter = Meter(
        endpoint=an_endpoint(), delivered=Delivered(output_bytes=40), end="failed_upstream",
        trail=[WON],
    )  # fmt: skip
    (failed,) = await told(meter)

    assert ("failed", "estimated", 100, 10) == (
        failed.outcome, failed.basis, failed.prompt_tokens, failed.completion_tokens,
    )  # fmt: skip
    assert 0 < failed.cost


async def test_what_clients_were_charged_is_told_to_the_budget_of_hedges() -> None:
    gateway = a_gateway(ledger=FakeLedger())
    charge = bill(Usage(3, 4), PRICES)
    await settle(Meter(endpoint=an_endpoint(), charge=charge), HOLD, a_call(), gateway)

    assert charge.cost == gateway.live.hedges.statistics().spent_day
