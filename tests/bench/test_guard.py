"""The guard fails where it should, stays silent where it must, and compares only what can be compared."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench import guard, guard_counting
from bench.guard_counting import Amount, Idle, Page, count, net, total, under_callgrind
from bench.guard_driver import MARK
from bench.guard_figures import Figure, compare, environment, figure, find, load, store
from bench.machine import pinning
from bench.peers.peer import Start
from bench.replies import VARIANTS

PAGE = """\
version: 1
creator: callgrind-3.19.0
events: Ir
fn=(1) main
16 5
totals: 376635472
"""
STORED = Figure("instructions", {"python": "3.11.7"}, {"plain": 1000.0}, "2026-01-02", "abc1234")


def found(plain: float) -> Figure:
    return replace(STORED, values={"plain": plain}, at="2026-03-04", commit="def5678")


def test_the_sum_of_a_page_is_at_its_end() -> None:
    assert 376635472 == total(PAGE)


def test_a_page_that_is_being_written_has_no_sum_yet() -> None:
    assert None is total(PAGE.partition("totals")[0])


@pytest.mark.parametrize(("plain", "fails"), [(1099.0, False), (1100.0, True), (2000.0, True)])
def test_a_tenth_more_instructions_fail(plain: float, fails: bool) -> None:
    verdict = compare(STORED, found(plain))

    assert fails is verdict.fails
    assert fails is any("FAIL" in line for line in verdict.lines)


@pytest.mark.parametrize(("plain", "better"), [(951.0, False), (950.0, True), (400.0, True)])
def test_a_twentieth_less_is_worth_storing(plain: float, better: bool) -> None:
    verdict = compare(STORED, found(plain))

    assert not verdict.fails
    assert better is any("--store" in line for line in verdict.lines)


def test_one_kind_that_got_worse_is_enough() -> None:
    stored = replace(STORED, values={"plain": 1000.0, "burst": 5000.0})
    now = replace(stored, values={"plain": 900.0, "burst": 5500.0})

    assert compare(stored, now).fails


def test_a_verdict_says_what_it_compared() -> None:
    lines = compare(STORED, found(1020.0)).lines

    assert ("plain: 1,020 against 1,000 of 2026-01-02 (abc1234): +2.0 %",) == lines


def test_times_may_swing_more_than_counts() -> None:
    stored = replace(STORED, method="ratio", values={"plain": 6.0})

    assert not compare(stored, replace(stored, values={"plain": 7.4})).fails
    assert compare(stored, replace(stored, values={"plain": 7.5})).fails


def test_a_kind_that_nothing_is_stored_of_is_named() -> None:
    now = replace(STORED, values={"plain": 1000.0, "burst": 9.0})
    verdict = compare(STORED, now)

    assert not verdict.fails
    assert "burst: 9; nothing stored, NOT COMPARED" in verdict.lines


def test_without_a_stored_figure_it_passes_and_says_so_loudly() -> None:
    verdict = compare(None, found(1.0))

    assert not verdict.fails
    assert "NO STORED FIGURE" in verdict.lines[0]
    assert "python 3.11.7" in verdict.lines[0]
    assert "--store" in verdict.lines[1]


def test_another_library_is_another_figure() -> None:
    where = {"python": "3.11.7", "trio": "1"}
    figures = [replace(STORED, environment=where)]

    assert figures[0] is find(figures, "instructions", dict(where))
    assert None is find(figures, "instructions", {**where, "trio": "2"})
    assert None is find(figures, "ratio", where)


def test_a_stored_figure_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "guard.json"
    elsewhere = replace(STORED, environment={"python": "3.13.1"})

    assert [] == load(path)
    for each in (STORED, elsewhere, found(900.0)):
        store(each, path)

    assert [elsewhere, found(900.0)] == load(path)


def test_the_environment_names_libraries_but_no_place_on_the_machine() -> None:
    where = environment("instructions")

    assert {"python", "machine", "compiler", "trio", "msgspec", "orjson"} <= set(where)
    assert [] == [value for value in where.values() if "/" in value]
    assert {"python", "machine"} == set(environment("ratio"))


def test_a_figure_is_rounded_to_what_it_can_say() -> None:
    assert {"plain": 1235.0} == figure("instructions", {"plain": 1234.567}, "2026-01-02").values
    assert {"plain": 6.57} == figure("ratio", {"plain": 6.567}, "2026-01-02").values


def test_the_gateway_is_started_as_it_is_but_counted() -> None:
    plain = Start(["/x/hedgerow", "sidecar", "--config", "a.toml"], environment={"KEY": "k"})
    counted = under_callgrind(plain, Path("counts"))

    assert ["sidecar", "--config", "a.toml"] == counted.argv[-3:]
    assert f"--dump-before={MARK}" in counted.argv
    assert {"KEY": "k", "PYTHONHASHSEED": "0"} == counted.environment


def test_all_pages_ask_for_each_of_the_mocks_variants_equally_often() -> None:
    assert 0 == Amount().page % VARIANTS


def test_what_the_gateway_does_each_second_is_taken_off() -> None:
    assert 1_000_000.0 == net(Page(2_700_000, 0.8), Idle(mark=100_000, per_s=2_000_000.0))


def test_a_spread_is_told_in_words() -> None:
    words = guard.spread("instructions", [99_000.0, 100_000.0, 101_000.0])

    assert "100,000 instructions a request, median of 3, spread 2.0 %" == words
    assert "6.50 x nginx's CPU" in guard.spread("ratio", [6.5])


@pytest.mark.slow
@pytest.mark.skipif(bool(guard_counting.missing()), reason=guard_counting.missing())
def test_a_real_gateway_is_counted_and_a_stream_costs_more_than_a_reply() -> None:
    amount = Amount(warm_up=16, pages=1, idle_s=0.2)
    counted = count(amount, pinning(), lambda _: None)

    assert 100_000 < counted["plain"] < counted["burst"] < 20_000_000
