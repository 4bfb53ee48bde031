"""All endpoints' statistics."""

import pytest

from proxy.live.board import BATCH, ENDPOINTS_MAX, REFRESH_S, Board
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.observation import Observation
from proxy.units import NanoDollarsPerMillion, Seconds

FREE = NanoDollarsPerMillion(0)


def endpoint(model: int = 0, provider: str = "acme") -> Endpoint:
    return Endpoint(
        Provider(provider, provider, "d", "https://acme.test"),
        f"a/{model}",
        "b",
        Prices(FREE, FREE),
        1,
    )


def tell(board: Board, of: Endpoint, at: float, ttft_s: float = 0.2) -> None:
    board.record(Observation(of, Seconds(at), streamed=True, ttft_s=ttft_s))


def samples(board: Board, name: str) -> int:
    return board.standings[name].samples


def test_a_standing_appears_with_the_refresh_and_follows_later_ones() -> None:
    board, one = Board(), endpoint()
    view = board.standings

    tell(board, one, 1)
    assert {} == view
    board.refresh(Seconds(3))
    assert 1 == view[one.id].samples
    tell(board, one, 4)
    assert 1 == view[one.id].samples
    board.refresh(Seconds(6))
    assert 2 == view[one.id].samples


def test_only_what_changed_is_made_anew() -> None:
    board, busy, idle = Board(), endpoint(1), endpoint(2)
    tell(board, busy, 1)
    tell(board, idle, 1)
    board.refresh(Seconds(3))
    before = dict(board.standings)

    tell(board, busy, 4)
    board.refresh(Seconds(6))

    assert before[idle.id] is board.standings[idle.id]
    assert before[busy.id] is not board.standings[busy.id]


def run(board: Board, begin: float, end: float) -> None:
    """Refreshes as a running gateway has them."""
    now = begin
    while now <= end:
        board.refresh(Seconds(now))
        now += REFRESH_S


def test_an_idle_endpoint_fades_and_its_standing_goes_after_half_an_hour() -> None:
    board, one = Board(), endpoint()
    tell(board, one, 1)

    run(board, 3, 270)
    assert 1 == samples(board, one.id)
    run(board, 273, 306)
    assert 0 == samples(board, one.id)
    run(board, 309, 1770)
    assert {one.id, "acme"} == set(board.standings)
    run(board, 1773, 1881)

    assert {} == board.standings
    assert [one.id] == list(board)
    assert board.vitals[one.id].figures is None


def test_an_endpoint_that_comes_back_has_figures_again() -> None:
    board, one = Board(), endpoint()
    tell(board, one, 1)
    run(board, 3, 1881)

    tell(board, one, 1900)
    board.refresh(Seconds(1902))

    found = board.report(one.id, Seconds(1902))
    assert found is not None
    assert (1, 1) == (samples(board, one.id), found.recent.samples)
    assert 2 == found.ends["none"]


def test_a_provider_stands_for_all_its_endpoints_and_is_merged_every_half_minute() -> None:
    board, first, second = Board(), endpoint(1), endpoint(2)
    tell(board, first, 1, 0.1)
    tell(board, second, 1, 0.5)
    tell(board, endpoint(1, "other"), 1)
    board.refresh(Seconds(3))

    assert 2 == samples(board, "acme")
    assert 1 == samples(board, "other")
    found = board.standings["acme"].ttft
    assert found is not None
    assert pytest.approx((0.1, 0.5), rel=0.01) == (found.p50, found.p99)

    tell(board, first, 4)
    board.refresh(Seconds(32))
    assert 2 == samples(board, "acme")
    board.refresh(Seconds(33))
    assert 3 == samples(board, "acme")


def test_a_report_tells_what_came_since_the_refresh() -> None:
    board, one = Board(), endpoint()
    tell(board, one, 1)
    board.refresh(Seconds(3))
    tell(board, one, 4)

    found = board.report(one.id, Seconds(5))

    assert found is not None
    assert 2 == found.recent.samples
    assert board.report("nobody:a/b", Seconds(5)) is None


def test_of_too_many_endpoints_the_longest_idle_is_forgotten() -> None:
    board = Board()
    for number in range(ENDPOINTS_MAX):
        tell(board, endpoint(number), number)
    tell(board, endpoint(0), ENDPOINTS_MAX)
    board.refresh(Seconds(ENDPOINTS_MAX))

    tell(board, endpoint(ENDPOINTS_MAX), ENDPOINTS_MAX + 1)

    assert ENDPOINTS_MAX == len(board)
    assert endpoint(1).id not in board.vitals
    assert endpoint(1).id not in board.standings
    assert {endpoint(0).id, endpoint(ENDPOINTS_MAX).id} <= set(board)


def test_slices_of_endpoints_that_began_together_end_at_ten_refreshes() -> None:
    board = Board()
    for number in range(100):
        tell(board, endpoint(number), 0)

    due = [board.vitals[name].due_at for name in board]

    assert [10] * 10 == [due.count(3.0 * n) for n in range(1, 11)]


def test_a_refresh_pauses_and_minds_what_is_forgotten_meanwhile() -> None:
    board = Board()
    for number in range(ENDPOINTS_MAX):
        tell(board, endpoint(number), number / ENDPOINTS_MAX)
    steps = board.steps(Seconds(1))

    next(steps)
    assert BATCH == len(board.standings)
    for number in range(BATCH + 1):  # takes the place of those done, and of one more
        tell(board, endpoint(ENDPOINTS_MAX + number), 1)
    assert {} == board.standings
    pauses = sum(1 for _ in steps)

    assert endpoint(BATCH).id not in board.standings
    assert endpoint(BATCH + 1).id in board.standings
    assert pauses >= ENDPOINTS_MAX // BATCH - 2


def test_nothing_that_was_measured_is_replaced_by_something_kept() -> None:
    board, one = Board(), endpoint()
    tell(board, one, 1)
    other = Board()
    tell(other, one, 1)
    tell(other, one, 1)

    board.adopt(one.id, other.vitals[one.id])
    board.refresh(Seconds(3))

    assert 1 == samples(board, one.id)
