"""Who rests: a provider's rest is every one of its endpoints', and none outlasts its time."""

import pytest

from proxy.model.standing import NOTHING_KNOWN, Report, Rest, Snapshot, Standing
from proxy.units import Seconds
from tests.fakes.things import an_endpoint

ENDPOINT = an_endpoint()
NOW, LATER = Seconds(10.0), Seconds(20.0)
OWN, PROVIDERS = Rest(LATER, "breaker"), Rest(LATER, "credential")


@pytest.mark.parametrize(
    ("resting", "now", "expected"),
    [
        ({}, NOW, None),
        ({ENDPOINT.id: OWN}, NOW, OWN),
        ({"acme": PROVIDERS}, NOW, PROVIDERS),
        ({"acme": PROVIDERS, ENDPOINT.id: OWN}, NOW, PROVIDERS),
        ({"acme": Rest(NOW, "credential"), ENDPOINT.id: OWN}, NOW, OWN),
        ({ENDPOINT.id: OWN}, LATER, None),
        ({"acme": PROVIDERS}, LATER, None),
        ({"other": PROVIDERS, "other:maker/model": OWN}, NOW, None),
    ],
    ids=str,
)
def test_a_rest_is_found_while_it_lasts(
    resting: dict[str, Rest], now: Seconds, expected: Rest | None
) -> None:
    assert expected == Snapshot(resting=resting).rest_of(ENDPOINT, now)


def test_a_snapshot_sees_what_is_written_later() -> None:
    resting: dict[str, Rest] = {}
    snapshot = Snapshot(resting=resting)
    resting[ENDPOINT.id] = OWN

    assert OWN == snapshot.rest_of(ENDPOINT, NOW)
    assert None is NOTHING_KNOWN.rest_of(ENDPOINT, NOW)


def test_nothing_is_known_unless_measured() -> None:
    report = Report(Standing(), Standing(), {}, {})

    assert (None, None, 0) == (
        report.recent.ttft,
        report.recent.prompt_price,
        report.recent.samples,
    )
    assert (None, None, None, None) == (
        report.uptime_5m, report.uptime_30m, report.uptime_1d, report.last_at,
    )  # fmt: skip
