"""Post or void, exactly once; free is what broke off upstream, or said nothing."""

import pytest
import trio
from trio.testing import MockClock

from proxy.ledger.interface import Entry, Hold
from proxy.model.event import Usage
from proxy.model.meter import Delivered, End, Meter
from proxy.policy.pricing import bill
from proxy.stages.settle import SETTLE_MAX_S, settle
from proxy.units import NanoDollars
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
    gateway = a_gateway()
    meter = Meter(endpoint=an_endpoint(), charge=bill(Usage(3, 4), PRICES), end="complete")
    meter.trail += [(an_endpoint("bad"), "timeout"), (an_endpoint(), "won")]
    await settle(meter, HOLD, a_call(), gateway)
    text = gateway.statistics.render().decode()

    assert 'outcome="timeout"' in text
    assert 'provider="acme"' in text
