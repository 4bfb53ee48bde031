"""The draw by price: its shares are price^-2, by chi-square; who has trouble stands back. (3.3)"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random

import pytest

from proxy.model.endpoint import Endpoint
from proxy.model.standing import NOTHING_KNOWN, Snapshot
from proxy.policy.balancing import Balancer, by_price, without_trouble
from proxy.policy.roster import Roster, make_roster
from proxy.units import Seconds
from tests.fakes.market import EARLIER, NOW, knowing, market, names, seller

DRAWS = 100_000
CRITICAL = {1: 10.828, 2: 13.816, 3: 16.266, 4: 18.467, 7: 24.322}
"""Chi-square by degrees of freedom, p = 0.001: one run in a thousand of a true draw is above."""
PRICES: list[tuple[float, ...]] = [
    (1, 2), (1, 3), (1, 1.1, 1.2), (0.25, 0.5, 1, 2), (3, 3, 3, 3), (1, 1.5, 2, 3, 4),
    (2, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7),
]  # fmt: skip


def evenly() -> Iterable[float]:
    return ((index + 0.5) / DRAWS for index in range(DRAWS))


def at_random(seed: int) -> Iterable[float]:
    draw = Random(seed).random
    return (draw() for _ in range(DRAWS))


def priced(prices: Sequence[float]) -> Roster:
    return make_roster(market(*(seller(f"p{n}", price) for n, price in enumerate(prices))))


def chi_square(balance: Balancer, prices: Sequence[float], draws: Iterable[float]) -> float:
    """How far the first places of many orders are from shares of price^-2."""
    roster = priced(prices)
    counts = Counter(
        balance(roster.usual, roster, NOTHING_KNOWN, NOW, draw)[0].provider.id for draw in draws
    )
    shares = [price**-2 for price in prices]
    expected = [DRAWS * share / sum(shares) for share in shares]
    return sum((counts[f"p{n}"] - e) ** 2 / e for n, e in enumerate(expected))


@pytest.mark.parametrize("prices", PRICES, ids=str)
@pytest.mark.parametrize(
    "draws", [evenly, lambda: at_random(1), lambda: at_random(2)], ids=["evenly", "one", "two"]
)
def test_shares_are_price_to_the_power_of_minus_two(
    prices: tuple[float, ...], draws: Callable[[], Iterable[float]]
) -> None:
    assert chi_square(by_price, prices, draws()) < CRITICAL[len(prices) - 1]


@pytest.mark.parametrize("exponent", [-1.0, -1.9, -2.1, -3.0, 0.0])
@pytest.mark.parametrize(
    "prices", [p for p in PRICES if len(set(p)) > 1 and max(p) / min(p) > 1.5], ids=str
)
def test_the_same_test_rejects_another_exponent(prices: tuple[float, ...], exponent: float) -> None:
    def wrong(
        endpoints: Sequence[Endpoint], roster: Roster, snapshot: Snapshot, now: Seconds, draw: float
    ) -> list[Endpoint]:
        weights = [e.prices.prompt**exponent for e in endpoints]
        left = draw * sum(weights)
        for endpoint, weight in zip(endpoints, weights, strict=True):
            left -= weight
            if left < 0:
                return [endpoint]
        return [endpoints[-1]]

    assert chi_square(wrong, prices, at_random(1)) > CRITICAL[len(prices) - 1]


A, B, C = seller("a", 1), seller("b", 2), seller("c", 3)
CLASSIC = make_roster(market(A, B, C))


def drawn(draw: float, snapshot: Snapshot = NOTHING_KNOWN) -> list[str]:
    return names(by_price(CLASSIC.usual, CLASSIC, snapshot, NOW, draw))


def test_3_3_the_classic_example() -> None:
    """A $1, B $2 with recent trouble, C $3: A is 9 times as likely as C, and B is last."""
    orders = Counter(tuple(drawn(draw, knowing(troubled=["b"]))) for draw in evenly())

    assert {("a", "c", "b"), ("c", "a", "b")} == set(orders)
    assert pytest.approx(9, rel=1e-3) == orders["a", "c", "b"] / orders["c", "a", "b"]


def test_the_rest_stand_by_in_order_of_price() -> None:
    assert [["a", "b", "c"], ["b", "a", "c"], ["c", "a", "b"]] == [
        drawn(draw) for draw in (0.0, 0.8, 0.99)
    ]


def test_trouble_that_is_over_counts_for_nothing() -> None:
    over = knowing(troubled=["a"], until=EARLIER)

    assert [drawn(draw) for draw in (0.0, 0.8, 0.99)] == [
        drawn(draw, over) for draw in (0.0, 0.8, 0.99)
    ]
    assert without_trouble(CLASSIC.usual, over, NOW)[0] is CLASSIC.usual


def test_trouble_ends_on_the_dot() -> None:
    assert (CLASSIC.usual, []) == without_trouble(
        CLASSIC.usual, knowing(troubled=["maker:b"], until=NOW), NOW
    )
    stable, troubled = without_trouble(CLASSIC.usual, knowing(troubled=["b"]), NOW)
    assert (["a", "c"], ["b"]) == (names(stable), names(troubled))


def test_if_all_have_trouble_whose_is_oldest_comes_first() -> None:
    until = {A.id: NOW + 9.0, B.id: NOW + 1.0, C.id: NOW + 5.0}
    snapshot = Snapshot(troubled={name: Seconds(when) for name, when in until.items()})

    assert ["b", "c", "a"] == drawn(0.0, snapshot) == drawn(0.99, snapshot)


def test_a_single_stable_one_is_not_drawn_for() -> None:
    assert ["b", "a", "c"] == drawn(0.0, knowing(troubled=["a", "c"]))


def test_the_largest_draw_there_is_draws_somebody() -> None:
    for draw in (1 - 2**-53, 1.0):
        assert ["c", "a", "b"] == drawn(draw)


def test_some_of_a_roster_are_drawn_by_their_own_weights() -> None:
    counts = Counter(
        by_price([B, C], CLASSIC, NOTHING_KNOWN, NOW, draw)[0].provider.id for draw in evenly()
    )

    assert pytest.approx(9 / 4, rel=1e-3) == counts["b"] / counts["c"]


def test_what_is_free_is_drawn_always() -> None:
    roster = make_roster(market(seller("free", 0), A))

    assert all(
        "free" == by_price(roster.usual, roster, NOTHING_KNOWN, NOW, n / 1000)[0].provider.id
        for n in range(1000)
    )
