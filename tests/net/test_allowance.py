"""The limits of one key: exact, and it is known when they open."""

import math
import random
from itertools import pairwise

from proxy.net.allowance import WINDOW_S, Allowance
from proxy.units import Seconds


def at(second: float) -> Seconds:
    return Seconds(second)


def send(limits: Allowance, tokens: int, now: float) -> None:
    """One request from beginning to end, at one instant."""
    assert limits.opens_at(tokens, at(now)) <= now
    limits.enter(tokens)
    limits.sent(tokens, at(now))
    limits.leave(tokens, sent=True)


def test_without_limits_it_is_always_open_and_nothing_is_logged() -> None:
    limits = Allowance(None, None, None)
    for _ in range(1000):
        send(limits, 1_000_000, 5.0)

    assert (True, 5.0, None) == (
        limits.fits(1 << 40),
        limits.opens_at(1 << 40, at(5)),
        limits.lately(at(5)),
    )
    assert not limits._sent


def test_requests_open_a_minute_after_the_oldest_that_counts() -> None:
    limits = Allowance(2, None, None)
    send(limits, 7, 10.0)
    send(limits, 8, 30.0)

    assert 10.0 + WINDOW_S == limits.opens_at(1, at(31))
    assert (2, 15) == limits.lately(at(31))
    send(limits, 9, 10.0 + WINDOW_S)
    assert 30.0 + WINDOW_S == limits.opens_at(1, at(80))
    assert (2, 17) == limits.lately(at(80))
    assert (0, 0) == limits.lately(at(1000))


def test_tokens_open_when_enough_of_the_oldest_are_forgotten() -> None:
    limits = Allowance(None, 100, None)
    for now in (1.0, 2.0, 3.0):
        send(limits, 30, now)

    assert 3.0 == limits.opens_at(10, at(3))
    assert 1.0 + WINDOW_S == limits.opens_at(40, at(3))
    assert 2.0 + WINDOW_S == limits.opens_at(41, at(3))
    assert 3.0 + WINDOW_S == limits.opens_at(100, at(3))
    assert math.inf == limits.opens_at(101, at(3))
    assert (True, False) == (limits.fits(100), limits.fits(101))


def test_what_is_let_in_counts_before_it_is_sent_and_no_more_if_it_never_is() -> None:
    limits = Allowance(1, 100, None)
    limits.enter(60)

    assert math.inf == limits.opens_at(1, at(0)), "it may be sent at any moment"
    limits.leave(60, sent=False)
    assert (0.0, (0, 0)) == (limits.opens_at(100, at(0)), limits.lately(at(0)))


def test_tokens_that_are_let_in_count_before_they_are_sent() -> None:
    limits = Allowance(None, 100, None)
    limits.enter(60)

    assert (0.0, math.inf) == (limits.opens_at(40, at(0)), limits.opens_at(41, at(0)))
    limits.sent(60, at(5))
    assert 5.0 + WINDOW_S == limits.opens_at(41, at(6))


def test_a_request_counts_from_when_it_is_sent_and_anew_if_it_is_sent_once_more() -> None:
    limits = Allowance(1, None, None)
    limits.enter(5)
    limits.sent(5, at(3))
    limits.unsent(5, at(3))
    assert math.inf == limits.opens_at(1, at(4))
    limits.sent(5, at(7))

    assert (7.0 + WINDOW_S, (1, 5)) == (limits.opens_at(1, at(8)), limits.lately(at(8)))


def test_one_that_is_sent_once_more_after_it_was_forgotten_counts_once() -> None:
    limits = Allowance(1, None, None)
    limits.enter(5)
    limits.sent(5, at(3))
    limits.opens_at(1, at(100))
    limits.unsent(5, at(3))
    limits.sent(5, at(101))

    assert (1, 5) == limits.lately(at(101))


def test_at_most_so_many_are_in_progress_and_then_only_an_end_helps() -> None:
    limits = Allowance(None, None, 2)
    for _ in range(2):
        limits.enter(1)
        limits.sent(1, at(0))
    assert (2, math.inf) == (limits.in_progress, limits.opens_at(1, at(9)))
    limits.leave(1, sent=True)

    assert (1, 9.0) == (limits.in_progress, limits.opens_at(1, at(9)))


def test_no_minute_has_more_than_its_limits_and_none_is_wasted() -> None:
    """Against a count by hand, over requests of random size that are sent as early as may be."""
    draw = random.Random(7)
    limits = Allowance(20, 500, None)
    sent: list[tuple[float, int]] = []
    now = 0.0
    for _ in range(2000):
        tokens = draw.choice((1, 10, 30, 200))
        asked, now = now, limits.opens_at(tokens, at(now))
        assert now < math.inf
        if now > asked:  # then a moment earlier it was not allowed
            window = [t for s, t in sent if s > now - 1e-6 - WINDOW_S]
            assert len(window) == 20 or sum(window) + tokens > 500
        send(limits, tokens, now)
        sent.append((now, tokens))
        now += draw.choice((0.0, 0.0, 0.5, 5.0))

    assert all(first <= second for (first, _), (second, _) in pairwise(sent))
    for start, _ in sent:
        window = [tokens for when, tokens in sent if start <= when <= start + 60.0]
        assert len(window) <= 20
        assert sum(window) <= 500
