"""Tails in virtual time and over sockets: goals are held in reduced runs, and the checks can fail."""

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from random import Random

import msgspec
import pytest

from bench import tail
from bench.machine import pinning
from bench.tail_client import Seen, request
from bench.tail_findings import Run, bill_of, checks, cut, figures, survival
from bench.tail_loop import Loop
from bench.tail_plots import pictures, timeline
from bench.tail_providers import Attempt, replies
from bench.tail_runs import Shape, judge, measure
from bench.tail_settings import MODES, TIMES, settings_text
from bench.tail_worlds import PIECE_TOKENS, PIECES, WORLDS, World
from proxy.config import decode_document, parse_settings
from proxy.config.settings import HedgingSettings, Settings
from proxy.policy.pricing import BYTES_PER_TOKEN

REQUESTS = 60_000
"""Five minutes at 200 a second, the first of them to warm up."""
SHAPE = Shape(rate=60.0, seconds=3.0, scale=0.02, warm_s=0.0)


def passed(world: str, mode: str, requests: int = REQUESTS, seed: int = 1) -> Run:
    return Loop(WORLDS[world], MODES[mode], requests, seed).run()


def failed(*runs: Run) -> list[str]:
    return [words for words, holds in checks(runs).items() if not holds]


@pytest.fixture(scope="module")
def plain() -> Run:
    return passed("stalls", "none")


@pytest.fixture(scope="module")
def hedged() -> Run:
    return passed("stalls", "hedged")


def test_the_goals_are_reached_where_some_requests_stall(plain: Run, hedged: Run) -> None:
    assert [] == failed(plain, hedged)
    assert 0.6 < cut(hedged, plain)
    assert 0.04 < hedged.extra <= 0.05
    assert 0.01 < hedged.extra_cost <= 0.02
    assert 0.0 == plain.extra == plain.extra_cost


def test_every_second_attempt_is_one_that_was_granted(hedged: Run) -> None:
    assert REQUESTS + hedged.fired == hedged.attempts
    assert hedged.fired * bill_of(0) == hedged.house
    assert REQUESTS * bill_of(PIECES) == hedged.charged
    assert 0.4 < hedged.won / hedged.fired < 0.9


def test_a_race_of_two_asks_two_for_every_request(plain: Run) -> None:
    raced = passed("stalls", "race", 20_000)

    assert 40_000 == raced.attempts
    assert 0 == raced.fired
    assert raced.p(50) < plain.p(50)
    assert pytest.approx(1 / 3, abs=0.001) == raced.extra_cost


def test_slowness_everywhere_is_hedged_hardly_at_all() -> None:
    found = passed("slowdown", "hedged")

    assert [] == failed(found)
    assert found.extra_slow < 0.02 < found.extra
    assert 0 < found.skipped["late"]


@pytest.mark.parametrize("world", ["stalls", "slowdown"])
def test_without_budgets_the_checks_fail(world: str) -> None:
    found = failed(passed(world, "unbounded", 30_000))
    where = f"virtual, {world}, unbounded: at most"

    assert any(words.startswith(where) and "extra requests" in words for words in found)
    assert f"{where} 2 % extra cost" in found


def test_a_tail_that_is_not_cut_fails_the_check(plain: Run) -> None:
    uncut = Run("virtual", "stalls", "hedged", plain.requests, plain.waits, plain.attempts)

    assert ["virtual, stalls, hedged: p99 at least 60% lower"] == failed(plain, uncut)


def test_the_same_seed_gives_the_same_run_and_another_one_does_not() -> None:
    first, again, other = (figures(passed("sick", "hedged", 5_000, n)) for n in (1, 1, 2))
    for found in (first, again, other):
        del found["cpu_us_per_request"]

    assert first == again
    assert first != other


def quantiles(world: World, provider: str = "alder", share: float = 0.0) -> tuple[float, float]:
    draw = Random(3)
    taken = sorted(world.first_token_s(provider, share, draw) for _ in range(20_000))
    return taken[10_000], taken[19_800]


def test_stalls_follow_the_model_that_backs_the_defaults() -> None:
    median_s, p99_s = quantiles(WORLDS["stalls"])

    assert pytest.approx(0.61, abs=0.02) == median_s
    assert pytest.approx(7.7, rel=0.1) == p99_s


def test_every_twentieth_of_the_bimodal_world_takes_ten_times_as_long() -> None:
    median_s, p99_s = quantiles(WORLDS["bimodal"])

    assert pytest.approx(0.404, abs=0.01) == median_s
    assert pytest.approx(4.5, rel=0.05) == p99_s


def test_only_who_is_meant_is_slower_and_only_then() -> None:
    sick, slow = WORLDS["sick"], WORLDS["slowdown"]

    assert [1, 6, 1] == [sick.factor(*at) for at in (("birch", 0.49), ("birch", 1), ("alder", 1))]
    assert [1, 4, 1] == [slow.factor("alder", share) for share in (0.44, 0.45, 0.55)]


def settings_of(mode: str, scale: float = 1.0) -> Settings:
    text = settings_text(MODES[mode], scale=scale)
    return parse_settings(decode_document(text.encode(), origin="tail"), origin="tail")


def test_hedging_is_measured_as_the_gateway_comes_with_it() -> None:
    assert HedgingSettings() == settings_of("hedged").hedging
    assert not settings_of("none").hedging.enabled


def test_scaled_settings_differ_in_their_times_only() -> None:
    scaled, usual = settings_of("hedged", 0.1).hedging, HedgingSettings()
    back = {name: getattr(scaled, name) * 10 for name in TIMES}

    assert pytest.approx({name: getattr(usual, name) for name in TIMES}) == back
    assert usual == msgspec.structs.replace(
        scaled, **{name: getattr(usual, name) for name in TIMES}
    )


def test_a_request_is_as_long_as_its_tokens_and_says_what_it_prefers() -> None:
    head, _, body = request(7, 80, MODES["race"].preferences).partition(b"\r\n\r\n")
    call = json.loads(body)

    assert 4_000 == len(body)
    assert b"Content-Length: 4000" in head
    assert {"race": {"n": 2}} == call["provider"]
    assert call["messages"][0]["content"].startswith("Request 7:")


def test_the_first_write_of_a_reply_has_no_content() -> None:
    first, *others = replies("birch")

    assert b"<birch>" not in first
    assert PIECES == len(others)
    assert all(b"<birch>" in piece for piece in others)
    assert others[-1].endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert PIECE_TOKENS == -(-len(re.findall(rb"<birch>[^\"]*", others[0])[0]) // BYTES_PER_TOKEN)


ATTEMPTS = [
    Attempt(0, "alder", 10.0, 0.0, 0.0, 10.42, 0),
    Attempt(0, "birch", 10.2, 10.4, 10.9, 0.0, PIECES),
    Attempt(1, "cedar", 11.0, 11.1, 11.5, 0.0, PIECES),
    Attempt(2, "cedar", 12.0, 12.3, 0.0, 12.305, 1),
    Attempt(2, "alder", 12.0, 12.3, 12.7, 0.0, PIECES),
]


def test_what_providers_saw_is_what_is_judged() -> None:
    seen = Seen([0.0, 1.0, 2.0], [0.4, 0.1, 0.3])
    shape = Shape(1.0, 4.0, 0.1, 0.5)
    run = judge(WORLDS["sick"], MODES["hedged"], shape, seen, ATTEMPTS)

    assert (3, 5, 0) == (run.requests, run.attempts, run.losers_ended)
    assert pytest.approx([1.0, 3.0]) == list(run.waits)
    assert pytest.approx([5.0, 20.0]) == run.closed_ms
    assert (1, 1) == (run.slow_requests, run.slow_extra)
    assert 3 * bill_of(PIECES) + bill_of(0) + bill_of(1) == run.providers_bill


def test_a_loser_that_ran_to_its_end_is_found() -> None:
    both = [one._replace(ended_at=99.0) for one in ATTEMPTS[:2]]
    seen = Seen([0.0], [0.4])
    run = judge(WORLDS["stalls"], MODES["race"], Shape(1.0, 1.0, 1.0, 0.0), seen, both)

    assert 1 == run.losers_ended


def test_the_prompt_costs_half_of_a_whole_reply_and_nearly_all_of_a_cut_one() -> None:
    assert [1_000_000, 1_048_000, 3_000_000] == [bill_of(pieces) for pieces in (0, 1, PIECES)]


GOOD = Run(
    "sockets", "bimodal", "hedged", 100, [0.1], 104, fired=4, charged=1_000_000_000,
    house=5_000_000, providers_bill=1_005_000_000, closed_ms=[1.0],
)  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("errors", 1, "nobody got an error"),
        ("mixed", 1, "no reply is mixed"),
        ("losers_ended", 1, "no loser runs to its end"),
        ("closed_ms", [51.0], "losers' sockets closed within 50 ms (p99)"),
        ("fired", 3, "providers saw as many attempts as were started"),
        ("providers_bill", 1_020_000_000, "costs are what providers sent, within 1 %"),
        ("house", 0, ""),
        ("attempts", 107, "at most 5.5% extra requests"),
    ],
)
def test_whatever_goes_wrong_over_sockets_is_found(field: str, value: object, words: str) -> None:
    kept = getattr(GOOD, field)
    setattr(GOOD, field, value)
    try:
        found = failed(GOOD)
    finally:
        setattr(GOOD, field, kept)

    assert [] == failed(GOOD)
    assert (f"sockets, bimodal, hedged: {words}" in found) == bool(words)


def test_a_survival_curve_falls_from_all_to_the_last_one() -> None:
    curve = survival([float(n) for n in range(1, 1001)])
    times, shares = [at for at, _ in curve], [share for _, share in curve]

    assert (1.0, 1.0) == curve[0]
    assert times == sorted(times)
    assert shares == sorted(shares, reverse=True)
    assert (1000.0, 0.001) == curve[-1]
    assert all(abs(share - (1001 - at) / 1000) < 0.002 for at, share in curve)
    assert [] == survival([])


def test_pictures_are_svg_for_light_and_dark_pages_with_a_curve_for_each_mode(
    plain: Run, hedged: Run
) -> None:
    drawn = pictures([plain, hedged])
    root = ET.fromstring(drawn["stalls"])
    words = " ".join(root.itertext())

    assert ["stalls"] == list(drawn)
    assert 2 == len(list(root.iter("{http://www.w3.org/2000/svg}polyline")))
    assert "no hedging" in words
    assert "hedging: p99" in words
    assert "prefers-color-scheme:dark" in drawn["stalls"]
    assert "script" not in drawn["stalls"]
    assert "the second attempt starts" in "".join(ET.fromstring(timeline()).itertext())


def test_the_command_prints_a_table_and_keeps_figures_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--virtual", "--requests", "30000", "--world", "bimodal", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["bench.tail", *arguments])
    monkeypatch.setattr(tail, "RESULTS", tmp_path / "results")
    with pytest.raises(SystemExit) as stopped:
        tail.main()
    (kept,) = (tmp_path / "results").glob("tail-*.json")
    document = json.loads(kept.read_text())

    assert 0 == stopped.value.code
    assert ["none", "hedged", "race"] == [run["mode"] for run in document["runs"]]
    assert "pass  virtual, bimodal, hedged: at most 5.5% extra requests" in capsys.readouterr().out
    assert {"hedging-bimodal.svg", "hedging-timeline.svg"} == {
        path.name for path in tmp_path.glob("*.svg")
    }


@pytest.mark.parametrize("mode", ["none", "hedged", "race"])
def test_gateway_providers_and_clients_agree_over_sockets(mode: str, tmp_path: Path) -> None:
    run = measure(WORLDS["stalls"], MODES[mode], SHAPE, pinning(), tmp_path)
    extra = {"none": 0, "hedged": run.fired, "race": run.requests}[mode]

    assert 100 < run.requests == len(run.waits)
    assert run.requests + extra == run.attempts
    assert (0, 0) == (run.errors, run.mixed)
    # A loser that is read late, on a machine with other work, may have said all it had to say.
    assert run.losers_ended <= extra * 0.02
    assert extra - run.losers_ended <= len(run.closed_ms) <= extra
    assert run.requests * bill_of(PIECES) == run.charged
    assert pytest.approx(run.providers_bill, rel=0.01) == run.charged + run.house
    if mode == "hedged":
        assert 0 < run.won <= run.fired


def test_the_page_on_hedging_has_every_setting_with_its_default() -> None:
    page = (Path(tail.__file__).parents[1] / "docs" / "hedging.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+?)`? \|", page, re.MULTILINE))

    for name, default in msgspec.structs.asdict(HedgingSettings()).items():
        assert default == json.loads(rows[name])
