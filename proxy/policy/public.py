"""Which addresses are public: those that a stranger's URL may lead us to.

Rule 1: what wraps an IPv4 address is judged by it only where networks still use it so (IPv4-mapped,
NAT64); the other wrappings (IPv4-compatible, 6to4, Teredo, local NAT64) are refused as a whole.
Rule 2: of IPv6 only 2000::/3 is public, since nothing else has been given out.
Rule 3: `is_global` alone is not believed: it differs between versions of Python and calls multicast,
site-local, some wrapped and some metadata addresses global. It has the last word, never the only one.

Source: the special-purpose address registries of IANA (RFC 6890); RFC 6052, 7526, 8215.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are the IPv4 address that is really dialled."""
UNICAST = IPv6Network("2000::/3")
IPV4_BITS = 0xFFFF_FFFF
METADATA = "a cloud's metadata service"

REFUSED_4 = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("169.254.169.254/32", METADATA),
        ("169.254.170.0/24", METADATA),  # credentials of containers and pods
        ("100.100.100.200/32", METADATA),
        ("168.63.129.16/32", METADATA),  # a public address, but only its cloud answers there
        ("192.0.0.192/32", METADATA),
        ("127.0.0.0/8", "loopback"),
        ("0.0.0.0/8", "this network"),  # a connection to 0.0.0.0 reaches this machine
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("100.64.0.0/10", "shared by a carrier's customers"),
        ("169.254.0.0/16", "link-local"),
        ("192.0.0.0/24", "kept for protocols"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.0.2.0/24", "documentation"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("198.18.0.0/15", "benchmarks"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
    )
)
"""(network, what it is); the first that matches counts."""

REFUSED_6 = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("fd00:ec2::/32", METADATA),
        ("fd20:ce::254/128", METADATA),
        ("::1/128", "loopback"),
        ("::/128", "unspecified"),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discarded"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "kept for protocols"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
        ("2002::/16", "6to4"),
        ("3ffe::/16", "returned"),
    )
)
"""The same of IPv6."""


def why_not(address: IPAddress) -> str:
    """Why an address is not public, in words without the address; empty: it is public."""
    if isinstance(address, IPv4Address):
        return _why_not_4(address)
    if address.scope_id is not None:
        return "an address of one interface"
    if address.ipv4_mapped is not None:
        return _why_not_4(address.ipv4_mapped)
    if address in NAT64:
        return _why_not_4(IPv4Address(int(address) & IPV4_BITS))
    for network, reason in REFUSED_6:
        if address in network:
            return reason
    return "" if address in UNICAST and _is_global(address) else "not given out for public use"


def _why_not_4(address: IPv4Address) -> str:
    for network, reason in REFUSED_4:
        if address in network:
            return reason
    return "" if _is_global(address) else "not given out for public use"


def _is_global(address: IPAddress) -> bool:
    return address.is_global and not address.is_multicast
