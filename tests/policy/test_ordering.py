"""Orders by price, speed and name, and what is demoted: live figures, then priors, then typical ones."""

from typing import Any

import pytest

from proxy.model.preferences import Cutoffs, SortKey
from proxy.model.standing import NOTHING_KNOWN, Quantiles, Snapshot, Standing
from proxy.policy.ordering import (
    demote,
    first_token,
    named_first,
    paid,
    sort_endpoints,
    speeds,
    standing_of,
)
from tests.fakes.market import EARLIER, NOW, knowing, names, seller, usd

A = seller("a", 1, expected_ttft_s=2.0, expected_throughput=10.0)
B = seller("b", 2, expected_ttft_s=0.5)
C = seller("c", 2, expected_throughput=90.0)
EVERY = [C, B, A]


@pytest.mark.parametrize(
    ("by", "snapshot", "expected"),
    [
        ("price", NOTHING_KNOWN, ["a", "c", "b"]),  # who promises nothing is as fast as can be
        ("exacto", NOTHING_KNOWN, ["a", "c", "b"]),
        ("price", knowing(paid={"c": (0.1, 0.1)}), ["c", "a", "b"]),
        ("price", knowing(paid={"a": (9, 9)}, ttft={"c": 3}), ["b", "c", "a"]),
        ("price", knowing(troubled=["a"]), ["c", "b", "a"]),
        ("price", knowing(troubled=["a"], until=EARLIER), ["a", "c", "b"]),
        ("latency", NOTHING_KNOWN, ["b", "c", "a"]),  # c is typical: 1.25
        ("latency", knowing(ttft={"c": 0.1}), ["c", "b", "a"]),
        ("latency", knowing(ttft={"a": 0.1, "b": 0.1, "c": 0.1}), ["a", "b", "c"]),
        ("throughput", NOTHING_KNOWN, ["c", "b", "a"]),
        ("throughput", knowing(throughput={"b": 100}), ["b", "c", "a"]),
        ("throughput", knowing(throughput={"b": 100}, troubled=["b"]), ["c", "a", "b"]),
    ],
    ids=str,
)
def test_endpoints_are_sorted(by: SortKey, snapshot: Snapshot, expected: list[str]) -> None:
    assert expected == names(sort_endpoints(EVERY, by, snapshot, NOW))
    assert expected == names(sort_endpoints(reversed(EVERY), by, snapshot, NOW))


def test_speeds_of_the_unknown_are_typical_ones() -> None:
    plain = [seller("x", 1), seller("y", 1)]

    assert {"x:maker/model": 0.0, "y:maker/model": 0.0} == speeds(plain, NOTHING_KNOWN, "latency")
    assert {"x:maker/model": 3.0, "y:maker/model": 3.0} == speeds(
        plain, knowing(ttft={"x": 3}), "latency"
    )
    assert {"x:maker/model": -3.0, "y:maker/model": -3.0} == speeds(
        plain, knowing(throughput={"y": 3}), "throughput"
    )


def test_what_was_paid_counts_where_it_is_known() -> None:
    half = Snapshot(standings={A.id: Standing(prompt_price=5e8)})

    assert usd(4) == paid(A, NOTHING_KNOWN) == paid(A, Snapshot(standings={A.id: Standing()}))
    assert 3 * 5e8 + 1e9 == paid(A, half)
    assert 3 * 2e9 + 7e9 == paid(A, knowing(paid={"a": (2, 7)}))


def test_first_tokens_are_expected_or_measured() -> None:
    assert [2.0, 0.5, 0.0] == [first_token(e, NOTHING_KNOWN) for e in (A, B, C)]
    assert 7.0 == first_token(A, knowing(ttft={"a": 7}))


@pytest.mark.parametrize(("figure", "mine"), [("ttft", {"a", "b"}), ("throughput", {"a", "c"})])
def test_a_providers_figures_stand_in_where_nothing_else_is_known(
    figure: str, mine: set[str]
) -> None:
    values: dict[str, Any] = {figure: {"a!": 1, "b!": 1, "c!": 1}}
    snapshot = knowing(**values)
    lent = {e.provider.id for e in EVERY if getattr(standing_of(e, snapshot, figure), figure)}

    assert {"a", "b", "c"} - mine == lent


def test_own_figures_are_stronger_than_any_prior() -> None:
    snapshot = knowing(ttft={"c": 5, "c!": 1, "a": 6})

    assert [6.0, 5.0] == [first_token(e, snapshot) for e in (A, C)]
    assert Standing() == standing_of(B, snapshot, "ttft")


def test_3_2_order_names_providers_tags_and_displayed_names() -> None:
    tagged = seller("a", 9, tag="fast", shown="A Cloud")
    every = [A, B, tagged, C]

    assert (["c", "a", "a/fast"], ["b"]) == tuple(map(names, named_first(every, ["c", "a"])))
    assert (["a/fast"], ["a", "b", "c"]) == tuple(map(names, named_first(every, ["a/fast"])))
    assert (["a/fast", "a"], ["b", "c"]) == tuple(map(names, named_first(every, ["a cloud", "a"])))
    assert ([], ["a", "a/fast", "b", "c"]) == tuple(
        map(names, named_first([A, tagged, B, C], ["nobody"]))
    )


def figures(**fields: tuple[float, float, float, float]) -> Standing:
    return Standing(**{name: Quantiles(*values) for name, values in fields.items()})


MEASURED = Snapshot(
    standings={
        A.id: figures(ttft=(1, 2, 3, 4), throughput=(40, 30, 20, 10)),
        B.id: figures(ttft=(2, 3, 4, 5)),
    }
)


@pytest.mark.parametrize(
    ("throughput", "latency", "demoted"),
    [
        (None, None, set()),
        (Cutoffs(), Cutoffs(), set()),
        (Cutoffs(p50=40), None, set()),
        (Cutoffs(p50=41), None, {"a"}),
        (Cutoffs(p75=31), None, {"a"}),
        (Cutoffs(p90=21), None, {"a"}),
        (Cutoffs(p50=1, p99=11), None, {"a"}),
        (Cutoffs(p50=91), None, {"a", "c"}),  # c by what is expected of it
        (Cutoffs(p99=91), None, {"a"}),  # of which only the median is known
        (None, Cutoffs(p50=2), set()),
        (None, Cutoffs(p50=1), {"b"}),
        (None, Cutoffs(p75=2.5), {"b"}),
        (None, Cutoffs(p90=3), {"b"}),
        (None, Cutoffs(p99=3), {"a", "b"}),
        (Cutoffs(p50=41), Cutoffs(p50=1), {"a", "b"}),
    ],
    ids=str,
)
def test_3_2_who_is_known_to_miss_a_cut_off_goes_to_the_end(
    throughput: Cutoffs | None, latency: Cutoffs | None, demoted: set[str]
) -> None:
    found = names(demote([A, B, C], MEASURED, throughput, latency))

    assert [n for n in "abc" if n not in demoted] + [n for n in "abc" if n in demoted] == found
