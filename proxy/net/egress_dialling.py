"""Connections to places that strangers name: looked up once, every address checked, then dialled.

Rule 1: a name is looked up once per connection, and what is dialled is one of the addresses that were
checked then, never the name again; one bad address refuses them all.
Rule 2: TLS is spoken with the name: it must be on the certificate, wherever the address leads.
"""

import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address

import certifi
import trio

from proxy.errors import ShedError, UpstreamUnavailableError
from proxy.net.addresses import Address, Resolver, interleaved
from proxy.net.connection import Connection
from proxy.net.dialling import Dialling
from proxy.policy.destinations import Destination
from proxy.policy.public import IPAddress, why_not
from proxy.units import Seconds

PEER = "Source"
"""What the far side is called in messages."""
LOOKUPS_MAX = 64
"""Names being looked up at a time, those nobody waits for any more included; more are shed."""

Dial = Callable[[list[Address]], Dialling]
"""Begins to connect to one of the addresses, all checked; another one is for tests."""


class EgressDialling:
    """Makes connections."""

    def __init__(
        self, tls: ssl.SSLContext, clock: Callable[[], Seconds], resolver: Resolver,
        dial: Dial | None = None,
    ) -> None:  # fmt: skip
        """Use a resolver of its own: strangers choose the names, and slow ones block its threads.

        Args:
            tls: made by `egress_tls`.
        """
        self._tls = tls
        self._clock = clock
        self._resolver = resolver
        self._dial = dial or self._dialling
        self._lookups = 0

    async def connect(self, destination: Destination) -> Connection:
        """A new connection to a checked address, TLS included.

        Raises: UpstreamUnavailableError, ShedError.
        """
        addresses = checked(destination, await self._look_up(destination))
        tls = self._tls if destination.scheme == "https" else None
        connection = Connection(destination.host, tls)
        connection.dial(self._dial(addresses))
        try:
            await connection.establish()
        except BaseException:
            connection.close()
            raise
        return connection

    async def _look_up(self, destination: Destination) -> list[IPAddress]:
        """Where the host leads, all of it. Raises: ShedError, UpstreamUnavailableError."""
        if destination.address is not None:
            return [destination.address]
        if self._lookups >= LOOKUPS_MAX:
            raise ShedError("Too many names are being looked up.")
        self._lookups += 1
        over, found = trio.Event(), list[Address]()

        def done(addresses: list[Address]) -> None:
            self._lookups -= 1
            found.extend(addresses)
            over.set()

        self._resolver.start(destination.host, destination.port, done)
        await over.wait()
        try:
            return [ip_address(str(at[0])) for _, at in found]
        except ValueError:
            raise not_public("not an address at all") from None

    def _dialling(self, addresses: list[Address]) -> Dialling:
        return Dialling(addresses, self._clock, PEER)


def checked(destination: Destination, found: list[IPAddress]) -> list[Address]:
    """Where to dial, in the order to try; every address is public, or the operator listed the host.

    Raises: UpstreamUnavailableError where one is not, or there is none.
    """
    if not found:
        raise not_public("it has none")
    if not destination.listed:
        for address in found:
            reason = why_not(address)
            if reason:
                raise not_public(reason)
    port = destination.port
    made: list[Address] = [
        (int(socket.AF_INET), (str(one), port))
        if one.version == 4
        else (int(socket.AF_INET6), (str(one), port, 0, 0))
        for one in found
    ]
    return interleaved(made, int(socket.AF_INET6))


def refused(address: Address) -> str:
    """Why a stranger's name may not lead to this address; empty: it may. For `net.addresses`."""
    try:
        return why_not(ip_address(str(address[1][0])))
    except ValueError:
        return "not an address at all"


def not_public(reason: str) -> UpstreamUnavailableError:
    """The refusal of a name; one sentence for all, as strangers ask: which names are known inside is
    not theirs to learn. The note is for the operator's eyes."""
    error = UpstreamUnavailableError(f"{PEER}'s name does not lead to public addresses.")
    error.add_note(f"one of its addresses is not public: {reason}")
    return error


def egress_tls(ca_file: str | None = None) -> ssl.SSLContext:
    """A verifying context, TLS 1.2 or newer; one for the whole egress. Raises: OSError."""
    context = ssl.create_default_context(cafile=ca_file or certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
