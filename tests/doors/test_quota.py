"""Places for client connections: counted, bounded, and the longest idle make way."""

from pathlib import Path

import pytest

from proxy.doors.quota import Quota, connections_for, descriptors, memory_bytes


class Idle:
    """A connection between two requests."""

    def __init__(self, quota: Quota, address: str) -> None:
        self.address = address
        self.evicted = False
        quota.enter(address)
        quota.idle[self] = None

    def make_way(self) -> None:
        self.evicted = True


def test_places_are_counted_in_all_and_per_address() -> None:
    quota = Quota(3, 2)
    quota.enter("a")
    quota.enter("a")
    assert "More than 2 connections from one address." == str(quota.refusal("a"))
    assert quota.refusal("b") is None
    quota.enter("b")
    assert "More than 3 connections." == str(quota.refusal("c"))
    quota.leave("a")
    assert quota.refusal("a") is None
    assert quota.refusal("c") is None


def test_unix_sockets_have_no_address_and_only_the_total_counts() -> None:
    quota = Quota(3, 1)
    for _ in range(3):
        assert quota.refusal("") is None
        quota.enter("")
    assert quota.refusal("") is not None


def test_the_longest_idle_makes_way_and_a_busy_one_never() -> None:
    quota = Quota(3, 3)
    first, second = Idle(quota, "a"), Idle(quota, "b")
    quota.enter("c")
    assert quota.refusal("d") is None
    assert (True, False) == (first.evicted, second.evicted)
    quota.leave("a")
    quota.enter("d")
    assert quota.refusal("e") is None
    assert second.evicted
    quota.leave("b")
    quota.enter("e")
    assert quota.refusal("f") is not None


def test_a_crowded_address_evicts_its_own_and_nobody_elses() -> None:
    quota = Quota(10, 2)
    other = Idle(quota, "b")
    mine = Idle(quota, "a")
    quota.enter("a")
    assert quota.refusal("a") is None
    assert (True, False) == (mine.evicted, other.evicted)
    quota.leave("a")
    quota.enter("a")
    assert quota.refusal("a") is not None
    assert not other.evicted


def test_what_is_gone_is_forgotten() -> None:
    quota = Quota(2, 2)
    for number in range(1000):
        quota.enter(str(number))
        quota.leave(str(number))
    assert {} == quota._of_address


@pytest.mark.parametrize(
    ("files", "memory", "connections"),
    [
        (20_000, 24 << 30, 9_872),
        (1_048_576, 24 << 30, 196_608),
        (1_048_576, 512 << 20, 4_096),
        (256, 1 << 20, 16),
    ],
)
def test_descriptors_and_memory_say_how_many(files: int, memory: int, connections: int) -> None:
    assert connections == connections_for(files, memory)


def test_a_containers_memory_counts_if_it_is_less() -> None:
    machine = memory_bytes(lambda _: "max\n")
    assert machine > 64 << 20
    assert 1 << 20 == memory_bytes(lambda _: "1048576\n")
    assert machine == memory_bytes(lambda _: str(1 << 60))
    assert machine == memory_bytes(lambda _: Path("/no/such/file").read_text())
    assert descriptors() > 100
