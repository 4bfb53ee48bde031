"""Which addresses a stranger's URL may lead to."""

from ipaddress import ip_address

import pytest

from proxy.policy.public import METADATA, REFUSED_4, REFUSED_6, why_not


@pytest.mark.parametrize(
    "address",
    "1.1.1.1 8.8.8.8 93.184.216.34 172.32.0.1 100.128.0.1 192.0.1.1 198.20.0.1 223.255.255.255"
    " 2606:4700::1111 2001:4860:4860::8888 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::808:808".split(),
)
def test_an_address_that_anybody_may_have_is_public(address: str) -> None:
    assert "" == why_not(ip_address(address))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("0.0.0.0", "this network"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "shared by a carrier's customers"),
        ("100.100.100.200", METADATA),
        ("169.254.169.254", METADATA),
        ("169.254.170.2", METADATA),
        ("169.254.0.1", "link-local"),
        ("168.63.129.16", METADATA),
        ("192.0.0.8", "kept for protocols"),
        ("192.0.0.192", METADATA),
        ("192.88.99.1", "a 6to4 relay"),
        ("198.19.0.1", "benchmarks"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.250", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("240.0.0.1", "reserved"),
        ("::1", "loopback"),
        ("::", "unspecified"),
        ("::127.0.0.1", "IPv4-compatible"),
        ("::8.8.8.8", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", METADATA),
        ("::ffff:0:127.0.0.1", "IPv4-translated"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", METADATA),
        ("64:ff9b:1::808:808", "local NAT64"),
        ("100::1", "discarded"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
        ("2001:10::1", "kept for protocols"),
        ("2001:db8::1", "documentation"),
        ("2002:7f00:1::", "6to4"),
        ("2002:808:808::", "6to4"),
        ("3fff::1", "documentation"),
        ("3ffe::1", "returned"),
        ("5f00::1", "segment routing"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", METADATA),
        ("fd20:ce::254", METADATA),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "an address of one interface"),
        ("2606:4700::1%1", "an address of one interface"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("1::1", "not given out for public use"),
        ("4000::1", "not given out for public use"),
        ("dead::1", "not given out for public use"),
    ],
)
def test_every_other_address_is_refused_for_what_it_is(address: str, reason: str) -> None:
    assert reason == why_not(ip_address(address))


@pytest.mark.parametrize("network", [n for n, _ in (*REFUSED_4, *REFUSED_6)], ids=str)
def test_a_network_is_refused_from_its_first_address_to_its_last(network: object) -> None:
    assert "" != why_not(network[0])  # type: ignore[index]
    assert "" != why_not(network[-1])  # type: ignore[index]


def test_what_is_wrapped_is_judged_as_if_it_were_not() -> None:
    for network, reason in REFUSED_4:
        last = int(network[0])
        for wrapped in (0xFFFF << 32 | last, 0x64FF9B << 96 | last):
            assert reason == why_not(ip_address(wrapped.to_bytes(16, "big")))
