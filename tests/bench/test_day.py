"""A day in virtual time: what the policy promises is held on 20,000 requests, and the checks can fail."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from random import Random

import msgspec
import pytest

from bench import day
from bench.day_findings import (
    BROKE,
    SOON_S,
    after,
    budget_use,
    calm_shares,
    checks,
    favourite_changes,
    left_s,
    percentile,
    recovered_s,
    rest_left,
    summary,
)
from bench.day_loop import Day, Request
from bench.day_notes import Notes, Span
from bench.day_plots import pictures
from bench.day_svg import Drawing, Panel
from bench.day_world import DAY, NAMES, SHORT, Event, Script, World, the_model
from proxy.config.settings import HealthSettings, RetrySettings, Settings
from proxy.model.plan import Plan
from proxy.model.standing import Rest
from proxy.policy.hedging import Race
from proxy.units import NanoDollars, Seconds

REQUESTS = 20_000
EVENTS = {event.name: event for event in SHORT.events}


def passed(settings: Settings = Settings(), seed: int = 1, requests: int = REQUESTS) -> Notes:
    return Day(SHORT, requests, seed, settings).run().close()


@pytest.fixture(scope="module")
def notes() -> Notes:
    return passed()


def test_every_check_holds(notes: Notes) -> None:
    assert [] == [words for words, holds in checks(notes).items() if not holds]


def test_every_request_is_served_or_fails(notes: Notes) -> None:
    broken = sum(failed.why.startswith(BROKE) for failed in notes.failures)

    assert REQUESTS == notes.requests_all == sum(notes.requests)
    assert REQUESTS == sum(notes.attempts.values()) + len(notes.failures) - broken


def test_in_calm_minutes_half_the_price_gets_four_times_the_traffic(notes: Notes) -> None:
    found = [share for share, _ in calm_shares(notes).values()]

    assert pytest.approx([0.392, 0.272, 0.174, 0.098, 0.044, 0.019], abs=0.02) == found


def test_who_refuses_gets_only_probes_after_ten_seconds(notes: Notes) -> None:
    refuses = EVENTS["alder refuses"]
    left = left_s(notes, refuses)

    assert 0 < after(notes, refuses) < 0.01
    assert left is not None
    assert left <= SOON_S


def test_who_recovers_is_back_soon_after_its_rest(notes: Notes) -> None:
    for name in ("alder refuses", "alder truncates"):
        back = recovered_s(notes, EVENTS[name])

        assert back is not None
        assert back <= rest_left(notes, EVENTS[name]) + 20


def test_extra_attempts_use_up_the_budget_and_no_more(notes: Notes) -> None:
    assert 0.95 < max(budget_use(notes)) <= 1.02


def test_clients_see_errors_only_where_nobody_of_the_plan_could_serve(notes: Notes) -> None:
    told = {
        (failed.why.partition(":")[0], failed.healthy)
        for failed in notes.failures
        if not failed.why.startswith(BROKE)
    }
    with_healthy = [failed.at for failed in notes.failures if failed.healthy == 2]
    begins = EVENTS["4 of 6 unreachable"].begins

    assert told <= {("no budget", 0), ("all offers failed", 0), ("all offers failed", 2)}
    assert ("no budget", 0) in told
    assert all(begins <= at < begins + 2 for at in with_healthy)
    assert len(with_healthy) <= 15


def test_breakers_rest_half_of_the_endpoints_and_no_more(notes: Notes) -> None:
    assert 3 == notes.ejected_max


def test_a_hung_endpoint_costs_clients_the_whole_deadline_until_it_rests(notes: Notes) -> None:
    hangs = EVENTS["birch hangs"]
    left = left_s(notes, hangs)

    assert left is not None
    assert 50 < left < 75


def test_traffic_by_latency_leaves_who_became_slow(notes: Notes) -> None:
    left = left_s(notes, EVENTS["hazel is slow"], "latency")

    assert left is not None
    assert 60 < left < 160


LAX = HealthSettings(trouble_s=0.001, failures_max=1_000, samples_min=1_000_000)


@pytest.mark.parametrize(
    ("settings", "check"),
    [
        (Settings(health=LAX), "10 s into an outage only probes are left"),
        (
            Settings(health=HealthSettings(ejected_share_max=1.0)),
            "breakers rest at most half",
        ),
        (
            Settings(retries=RetrySettings(budget_share=1.0, budget_per_s=1_000)),
            "whenever the budget pays, 20 % and 10/s are kept to",
        ),
        (
            Settings(retries=RetrySettings(budget_share=0.0, budget_per_s=0.0)),
            "no error where every plan has somebody who could serve",
        ),
    ],
)
def test_a_check_fails_where_the_policy_does_not_keep_it(settings: Settings, check: str) -> None:
    assert not checks(passed(settings))[check]


def test_shares_that_do_not_follow_prices_are_found(notes: Notes) -> None:
    twisted = dict(zip(notes.weights, reversed(notes.weights.values()), strict=True))
    notes.weights, kept = twisted, notes.weights
    try:
        assert not checks(notes)["calm shares follow price^-2"]
    finally:
        notes.weights = kept


def test_the_same_seed_gives_the_same_day_and_another_one_does_not() -> None:
    first, again, other = (summary(passed(seed=n, requests=2_000)) for n in (1, 1, 2))

    assert first == again
    assert first != other


def test_all_requests_arrive_and_most_of_them_at_sixteen_o_clock() -> None:
    times = DAY.arrivals(24_000, Random(1))
    by_hour = [sum(hour * 3600 <= at < (hour + 1) * 3600 for at in times) for hour in range(24)]

    assert times == sorted(times)
    assert 24_000 == sum(by_hour)
    assert 4.0 < (by_hour[15] + by_hour[16]) / (by_hour[3] + by_hour[4]) < 8.0


def test_a_burst_comes_and_goes_within_its_event() -> None:
    burst = Event("b", "limits", ("birch",), 100.0, 200.0, 10.0, 50.0)
    on = [n for n in range(300) if burst.on(n)]

    assert [*range(100, 110), *range(150, 160)] == on


def test_calm_is_what_lies_between_events_and_their_aftermath() -> None:
    script = Script(
        100.0, 0.0, (Event("a", "slow", (), 20.0, 30.0), Event("b", "slow", (), 35.0, 40.0))
    )

    assert [(0.0, 20.0), (50.0, 100.0)] == list(script.calm(10.0))
    assert [(0.0, 20.0), (31.0, 35.0), (41.0, 100.0)] == list(script.calm(1.0))


@pytest.mark.parametrize(
    ("kind", "status", "sent"),
    [
        ("refuses", 503, True),
        ("unreachable", 502, False),
        ("limits", 429, True),
        ("truncates", 502, True),
        ("hangs", 504, True),
    ],
)
def test_an_endpoint_in_trouble_fails_in_its_way(kind: str, status: int, sent: bool) -> None:
    draw = Random(1)
    world = World(Script(10.0, 0.0, (Event("e", kind, ("elm",), 0.0, 5.0),)), draw)
    fate, other, later = (
        world.answer(*where, 100) for where in (("elm", 1), ("birch", 1), ("elm", 6))
    )

    assert fate.error is not None
    assert (status, sent) == (fate.error.status, fate.sent)
    assert (None, None) == (other.error, later.error)
    assert 5 == world.healthy(1.0)
    assert 6 == world.healthy(6.0)


def test_a_crowded_endpoint_is_slower_in_proportion() -> None:
    def rest_s(serving: int) -> float:
        world = World(SHORT, Random(3))
        world.serving["hazel"] = serving
        return world.answer("hazel", 0.0, 100).rest_s

    assert rest_s(0) == rest_s(30)
    assert pytest.approx(2 * rest_s(30)) == rest_s(60)


def test_an_attempt_that_lost_a_race_counts_as_a_lower_bound_of_its_wait() -> None:
    hung = Script(100.0, 0.0, (Event("e", "hangs", ("alder",), 0.0, 100.0),))
    run = Day(hung, 0, 1)
    offers = the_model().endpoints[:2]
    plan = Plan(offers, Seconds(0.05), NanoDollars(0))
    request = Request("default", Race(plan), run.now, Random(1))
    run._go_on(request)
    run._pass()
    run.live.board.refresh(run.now)
    alder = run.live.board.report(offers[0].id, run.now)

    assert alder is not None
    assert {2: 1} == dict(run.notes.attempts)
    assert 1 == alder.ends["client"]
    assert 1 == alder.recent.samples
    assert {"alder": 0, "birch": 0} == {name: run._world.serving[name] for name in NAMES[:2]}


def test_rests_and_troubles_become_spans() -> None:
    seen = Notes(SHORT, {"e": 1.0})
    rest = Rest(Seconds(31.0), "breaker")
    seen.saw("e", Seconds(1.0), rest, Seconds(31.0))
    seen.saw(
        "e", Seconds(2.0), msgspec.structs.replace(rest), Seconds(32.0)
    )  # the same, told again
    seen.saw("e", Seconds(20.0), None, Seconds(32.0))
    seen.saw("e", Seconds(40.0), None, Seconds(32.0))  # over, and still listed
    seen.saw("e", Seconds(50.0), None, Seconds(80.0))

    assert [
        Span("e", 1.0, 20.0, "breaker"),
        Span("e", 1.0, 32.0, "trouble"),
        Span("e", 50.0, 80.0, "trouble"),
    ] == seen.close().spans
    assert 1 == seen.ejected_max


def test_a_favourite_that_changes_is_counted() -> None:
    seen = Notes(Script(240.0, 0.0, ()), {"a": 1.0, "b": 1.0})
    for minute, favourite in enumerate("abba"):
        seen.asked("nitro", favourite, Seconds(minute * 60.0))

    assert 2 == favourite_changes(seen, "nitro")


def test_a_percentile_is_the_least_value_that_enough_do_not_exceed() -> None:
    assert [2.0, 4.0, 4.0, 0.0] == [
        percentile([1.0, 2.0, 3.0, 4.0], 50),
        percentile([1.0, 2.0, 3.0, 4.0], 99),
        percentile([4.0], 1),
        percentile([], 50),
    ]


def test_pictures_are_svg_without_scripts_for_light_and_dark_pages(notes: Notes) -> None:
    drawn = pictures(notes)

    assert ["shares", "rests", "errors", "ttft"] == list(drawn)
    for text in drawn.values():
        root = ET.fromstring(text)
        words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
        assert "script" not in text
        assert "prefers-color-scheme:dark" in text
        assert "fill:currentColor" in text
        assert all(f"{n} {event.name}" in words for n, event in enumerate(SHORT.events, 1))


def test_a_panel_puts_values_where_its_axis_says() -> None:
    plain, log = Panel(10, 100, 50.0, (0.0, 4.0)), Panel(10, 100, 50.0, (1.0, 100.0), log=True)

    assert [110.0, 60.0, 10.0, 10.0] == [plain.y(value) for value in (0.0, 2.0, 4.0, 9.0)]
    assert [110.0, 60.0, 10.0] == [log.y(value) for value in (0.5, 10.0, 100.0)]
    assert [64.0, 880.0] == [plain.x(at) for at in (0.0, 50.0)]


def test_words_in_a_picture_are_escaped() -> None:
    assert "a &lt; b" in Drawing("a < b", 10).text()


def test_the_command_prints_figures_and_writes_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--script", "short", "--requests", str(REQUESTS), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["bench.day", *arguments])
    with pytest.raises(SystemExit) as stopped:
        day.main()
    out, err = capsys.readouterr()

    assert 0 == stopped.value.code
    assert REQUESTS == json.loads(out)["requests"]
    assert "of the day" in err
    assert 4 == len(list(tmp_path.glob("routing-short-*.svg")))
