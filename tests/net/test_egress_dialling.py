"""A name is looked up once, every address it has is checked, and one of those is dialled."""

import socket
import ssl

import pytest
import trio
import trustme

from proxy.errors import ShedError, UpstreamUnavailableError
from proxy.net.addresses import Address, Resolver
from proxy.net.dialling import Dialling
from proxy.net.egress_dialling import (
    LOOKUPS_MAX,
    PEER,
    EgressDialling,
    checked,
    egress_tls,
    refused,
)
from proxy.policy.destinations import Destination
from tests.fakes.source import CLOCK, source

PUBLIC = "93.184.216.34"
V4 = int(socket.AF_INET)


def named(port: int = 80, scheme: str = "http", *, listed: bool = False) -> Destination:
    return Destination(scheme, "a.example", port, "/", listed=listed)


def at(*hosts: str, port: int = 80) -> list[Address]:
    return [(V4, (host, port)) for host in hosts]


class Names:
    """Answers its lookups one after the other."""

    def __init__(self, *answers: list[Address]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[Address]:
        self.asked += 1
        return self.answers.pop(0)


def dialling(names: Names, dialled: list[list[Address]], port: int = 1) -> EgressDialling:
    """Dials loopback, whatever it is told, and writes down what that was."""

    def dial(addresses: list[Address]) -> Dialling:
        dialled.append(addresses)
        return Dialling(at("127.0.0.1", port=port), CLOCK, PEER)

    return EgressDialling(egress_tls(), CLOCK, Resolver(names), dial)


async def test_a_name_is_looked_up_once_and_the_address_found_then_is_dialled() -> None:
    names, dialled = Names(at(PUBLIC), at("127.0.0.1")), []
    async with source() as one:
        connection = await dialling(names, dialled, one.port).connect(named())
        connection.close()

    assert (1, [at(PUBLIC)]) == (names.asked, dialled)


@pytest.mark.parametrize(
    "answer",
    [at("127.0.0.1"), at(PUBLIC, "127.0.0.1"), at(*[PUBLIC] * 20, "10.0.0.1"), [], at("no address"),
     [(int(socket.AF_INET6), ("fe80::1%eth0", 80, 0, 2))]],
)  # fmt: skip
async def test_one_bad_address_refuses_them_all_in_the_same_words(answer: list[Address]) -> None:
    names, dialled = Names(answer), []

    with pytest.raises(UpstreamUnavailableError) as caught:
        await dialling(names, dialled).connect(named())

    assert "Source's name does not lead to public addresses." == caught.value.message
    assert caught.value.__notes__
    assert [] == dialled


async def test_what_the_operator_listed_may_lead_inside() -> None:
    async with source() as one:
        names = Names(at("127.0.0.1"))
        made = EgressDialling(egress_tls(), CLOCK, Resolver(names))
        connection = await made.connect(named(one.port, listed=True))
        connection.close()


def test_a_literal_address_is_checked_again_and_dialled_in_the_familys_own_form() -> None:
    from ipaddress import ip_address

    found = checked(named(443), [ip_address(PUBLIC), ip_address("2606:4700::1")])

    assert [(int(socket.AF_INET6), ("2606:4700::1", 443, 0, 0)), (V4, (PUBLIC, 443))] == found
    with pytest.raises(UpstreamUnavailableError):
        checked(named(), [ip_address("::1")])


def test_an_address_of_the_resolver_is_refused_in_words() -> None:
    assert ["", "loopback", "not an address at all"] == [
        refused(one) for one in at(PUBLIC, "127.0.0.1", "nonsense")
    ]


async def test_lookups_that_hang_are_bounded_even_if_nobody_waits_for_them() -> None:
    class Stuck(Resolver):
        def start(self, *args: object) -> None:
            pass

    made = EgressDialling(egress_tls(), CLOCK, Stuck())
    for _ in range(LOOKUPS_MAX):
        with trio.CancelScope() as scope:
            scope.cancel()
            await made.connect(named())

    with pytest.raises(ShedError, match="looked up"):
        await made.connect(named())


@pytest.mark.parametrize("certified", ["b.example", "127.0.0.1"])
async def test_the_certificate_must_be_the_names_wherever_the_address_leads(certified: str) -> None:
    ca, tls = trustme.CA(), egress_tls()
    ca.configure_trust(tls)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(certified).configure_cert(theirs)
    async with source(tls=theirs) as one:
        made = EgressDialling(tls, CLOCK, Resolver(Names(at("127.0.0.1"))))
        with pytest.raises(UpstreamUnavailableError, match="TLS"):
            await made.connect(named(one.port, "https", listed=True))
