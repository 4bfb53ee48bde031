"""The retry budget: a share of the requests, and a little besides, within ten seconds."""

from hypothesis import given, strategies as st

from proxy.config.settings import RetrySettings
from proxy.live.retries import RetryBudget
from proxy.units import Seconds


def a_budget(requests: int = 0, *, share: float = 0.2, per_s: float = 0.0) -> RetryBudget:
    budget = RetryBudget(RetrySettings(budget_share=share, budget_per_s=per_s))
    for _ in range(requests):
        budget.request(Seconds(100.0))
    return budget


def spend(budget: RetryBudget, now: float = 100.0, tries: int = 1000) -> int:
    return sum(budget.withdraw(Seconds(now)) for _ in range(tries))


def test_a_share_of_the_requests_may_be_retried() -> None:
    assert 7 == spend(a_budget(35))


def test_little_traffic_can_retry_as_well() -> None:
    assert 100 == spend(a_budget(1, per_s=10.0))


def test_what_is_denied_is_not_counted() -> None:
    budget = a_budget(5)
    assert [True, False, False] == [budget.withdraw(Seconds(100.0)) for _ in range(3)]
    for _ in range(5):
        budget.request(Seconds(101.0))

    assert budget.withdraw(Seconds(101.0))


def test_requests_count_for_ten_seconds_and_withdrawals_too() -> None:
    budget = a_budget(50)
    assert 10 == spend(budget, 105.0)
    assert 0 == budget.left(Seconds(109.9))
    for _ in range(50):
        budget.request(Seconds(112.0))

    assert 0 == budget.left(Seconds(114.9))
    assert 10 == budget.left(Seconds(115.0))


def test_a_budget_of_nothing_allows_nothing() -> None:
    assert 0 == spend(a_budget(100, share=0.0))


@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.booleans()), max_size=300),
    st.floats(0, 1), st.integers(0, 3),
)  # fmt: skip
def test_within_any_ten_seconds_attempts_stay_within_the_budget_of_those_and_the_ones_before(
    steps: list[tuple[float, bool]], share: float, per_s: int
) -> None:
    budget = a_budget(share=share, per_s=per_s)
    now, requests, retries = 0.0, list[float](), list[float]()
    for later, retry in steps:
        now += later
        budget.request(Seconds(now))
        requests.append(now)
        if retry and budget.withdraw(Seconds(now)):
            retries.append(now)
    for at in retries:
        asked = sum(at - 20 <= one <= at for one in requests)
        assert sum(at - 9 <= one <= at for one in retries) <= share * asked + 10 * per_s + 1e-6
