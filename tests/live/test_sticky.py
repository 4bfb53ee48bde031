"""Where a conversation was served last."""

from proxy.live.sticky import DROPPED_MAX, ENTRIES_MAX, IDLE_S, StickyRoutes
from proxy.units import Seconds


def at(seconds: float) -> Seconds:
    return Seconds(seconds)


def test_an_endpoint_is_found_until_ten_minutes_have_passed() -> None:
    routes = StickyRoutes()
    routes.keep("k", "acme:a/m", at(5))

    assert 600 == IDLE_S
    assert "acme:a/m" == routes.find("k", at(604.9))
    assert None is routes.find("k", at(605))
    assert None is routes.find("other", at(5))


def test_serving_refreshes_it_and_looking_does_not() -> None:
    routes = StickyRoutes()
    routes.keep("served", "e", at(0))
    routes.keep("looked at", "e", at(0))

    routes.keep("served", "f", at(599))
    routes.find("looked at", at(599))

    assert ("f", None) == (routes.find("served", at(1198)), routes.find("looked at", at(600)))


def test_the_one_kept_longest_ago_goes_first() -> None:
    routes = StickyRoutes(3)
    for key in "abc":
        routes.keep(key, "e", at(0))
    routes.keep("a", "e", at(1))

    routes.keep("d", "e", at(1))

    assert ["e", None, "e", "e"] == [routes.find(key, at(1)) for key in "abcd"]
    assert 3 == len(routes)


def test_there_are_never_more_than_the_most() -> None:
    routes = StickyRoutes(50)
    for number in range(500):
        routes.keep(str(number), "e", at(0))
        assert len(routes) == min(number + 1, 50)

    assert 100_000 == ENTRIES_MAX


def test_what_has_expired_goes_a_little_at_a_time() -> None:
    routes = StickyRoutes()
    for number in range(10):
        routes.keep(str(number), "e", at(0))

    routes.keep("new", "e", at(600))
    assert 11 - DROPPED_MAX == len(routes)

    for _ in range(9):
        routes.keep("new", "e", at(600))
    assert (1, "e") == (len(routes), routes.find("new", at(600)))
