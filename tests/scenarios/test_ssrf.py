"""A stranger's URL never leads inside: every trick, at every way out, and a sentinel that hears nothing."""

import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import trio
import trustme

from proxy.errors import HedgerowError, InvalidRequestError, UpstreamUnavailableError
from proxy.net.addresses import Address, ask_system
from proxy.net.dialling import Dialling
from proxy.net.egress import Egress, Message
from proxy.net.egress_dialling import PEER, egress_tls
from proxy.net.egress_transport import EgressTransport
from proxy.net.fetching import fetch
from proxy.policy.destinations import Reach, allowed, check_url
from tests.fakes.source import CLOCK, OK, egress_to, head_of, source

PUBLIC = "93.184.216.34"
V4, V6 = int(socket.AF_INET), int(socket.AF_INET6)

URLS = {
    "loopback": """
        {s}://127.0.0.1:{p}/ {s}://127.0.0.2:{p}/ {s}://127.255.255.254:{p}/ {s}://0.0.0.0:{p}/
        {s}://[::1]:{p}/ {s}://[::]:{p}/ {s}://localhost:{p}/ {s}://LOCALHOST:{p}/
        {s}://localhost.localdomain:{p}/ {s}://x.localhost:{p}/ {s}://localhost.:{p}/""",
    "numbers that resolvers take for addresses": """
        {s}://127.1:{p}/ {s}://127.0.1:{p}/ {s}://2130706433:{p}/ {s}://0x7f000001:{p}/
        {s}://0X7F000001:{p}/ {s}://0x7f.1:{p}/ {s}://0x7f.0x0.0x0.0x1:{p}/ {s}://0177.0.0.1:{p}/
        {s}://0177.0.0.01:{p}/ {s}://00000177.1:{p}/ {s}://017700000001:{p}/ {s}://127.0.0.01:{p}/
        {s}://127.000.000.001:{p}/ {s}://0:{p}/ {s}://0x0:{p}/ {s}://00:{p}/ {s}://0.0:{p}/
        {s}://127.0x1:{p}/ {s}://127.0.0.0x1:{p}/ {s}://127.0.0.1.:{p}/ {s}://127.1.:{p}/
        {s}://127..1:{p}/ {s}://.127.0.0.1:{p}/ {s}://4294967297:{p}/ {s}://383.0.0.1:{p}/
        {s}://127.0.0.1e0:{p}/ {s}://+127.0.0.1:{p}/ {s}://127.0.0.1%20:{p}/ {s}://0x7f.0.0.1.:{p}/
        {s}://0x:{p}/ {s}://0x7f000001.:{p}/""",
    "wrapped in IPv6": """
        {s}://[::ffff:127.0.0.1]:{p}/ {s}://[::ffff:7f00:1]:{p}/ {s}://[0:0:0:0:0:ffff:7f00:1]:{p}/
        {s}://[::127.0.0.1]:{p}/ {s}://[::7f00:1]:{p}/ {s}://[::ffff:0:7f00:1]:{p}/
        {s}://[64:ff9b::7f00:1]:{p}/ {s}://[64:ff9b::127.0.0.1]:{p}/ {s}://[64:ff9b:1::7f00:1]:{p}/
        {s}://[2002:7f00:1::]:{p}/ {s}://[2002:a9fe:a9fe::1]:{p}/
        {s}://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{p}/ {s}://[::ffff:169.254.169.254]:{p}/
        {s}://[64:ff9b::a9fe:a9fe]:{p}/ {s}://[0:0:0:0:0:0:0:1]:{p}/ {s}://[0000::0001]:{p}/
        {s}://[::0.0.0.1]:{p}/ {s}://[::1%25lo]:{p}/ {s}://[::1%lo]:{p}/ {s}://[fe80::1%25lo]:{p}/
        {s}://[fe80::1]:{p}/ {s}://[fec0::1]:{p}/ {s}://[fc00::1]:{p}/ {s}://[ff02::1]:{p}/
        {s}://[5f00::1]:{p}/ {s}://[v1.x]:{p}/ {s}://[::1:{p}/ {s}://::1:{p}/ {s}://[127.0.0.1]:{p}/""",
    "metadata and insides": """
        {s}://169.254.169.254:{p}/latest/meta-data/ {s}://169.254.170.2:{p}/v2/credentials
        {s}://[fd00:ec2::254]:{p}/ {s}://100.100.100.200:{p}/ {s}://168.63.129.16:{p}/
        {s}://192.0.0.192:{p}/ {s}://metadata.google.internal:{p}/ {s}://metadata:{p}/
        {s}://2852039166:{p}/ {s}://0xa9fea9fe:{p}/ {s}://169.254.43518:{p}/ {s}://10.0.0.1:{p}/
        {s}://172.16.0.1:{p}/ {s}://192.168.1.1:{p}/ {s}://100.64.0.1:{p}/ {s}://192.0.2.1:{p}/
        {s}://198.18.0.1:{p}/ {s}://224.0.0.1:{p}/ {s}://240.0.0.1:{p}/ {s}://255.255.255.255:{p}/
        {s}://kubernetes.default.svc.cluster.local:{p}/ {s}://router.lan:{p}/""",
    "names that lead inside": """
        {s}://loop.example:{p}/ {s}://loop6.example:{p}/ {s}://mixed.example:{p}/
        {s}://mixed6.example:{p}/ {s}://mapped.example:{p}/ {s}://nat64.example:{p}/
        {s}://compat.example:{p}/ {s}://sixtofour.example:{p}/ {s}://teredo.example:{p}/
        {s}://private.example:{p}/ {s}://zero.example:{p}/ {s}://metadata.example:{p}/
        {s}://zone.example:{p}/ {s}://LOOP.example:{p}/ {s}://many.example:{p}/
        {s}://xn--loop-.example:{p}/""",
    "readers that disagree": """
        {s}://public.example\\@127.0.0.1:{p}/ {s}://127.0.0.1:{p}\\@public.example/
        {s}://public.example@127.0.0.1:{p}/ {s}://public.example:80@127.0.0.1:{p}/
        {s}://u:p@127.0.0.1:{p}/ {s}://127.0.0.1:{p}@public.example/ {s}://@127.0.0.1:{p}/
        {s}://:@127.0.0.1:{p}/ {s}://127.0.0.1:{p}#@public.example/ {s}://127.0.0.1:{p}?@public.example/
        {s}://127.0.0.1:{p};@public.example/ {s}://a@b@127.0.0.1:{p}/ {s}://public.example%40127.0.0.1:{p}/
        {s}://public.example%2f@127.0.0.1:{p}/ {s}:/127.0.0.1:{p}/ {s}:127.0.0.1:{p}/
        {s}:///127.0.0.1:{p}/ {s}:////127.0.0.1:{p}/ {s}:\\\\127.0.0.1:{p}/ {s}:/\\127.0.0.1:{p}/
        //127.0.0.1:{p}/ ///127.0.0.1:{p}/ \\\\127.0.0.1:{p}\\ 127.0.0.1:{p} {s}://127.0.0.1:{p}:80/
        {s}://127.0.0.1:+{p}/ {s}://127.0.0.1:0{p}/ {s}://127.0.0.1:{p}x/ {s}://[::1]x:{p}/
        {s}://[::1]@public.example:{p}/ {s}://public.example,127.0.0.1:{p}/ {s}://127.0.0.1&x:{p}/
        {s}://%31%32%37.0.0.1:{p}/ {s}://127%2e0%2e0%2e1:{p}/ {s}://loc%61lhost:{p}/
        {s}://127.0.0.1%00.public.example:{p}/ {s}://public.example:{p}:127.0.0.1/""",
    "other schemes": """
        file:///etc/passwd file://127.0.0.1:{p}/ ftp://127.0.0.1:{p}/ gopher://127.0.0.1:{p}/_x
        dict://127.0.0.1:{p}/ ldap://127.0.0.1:{p}/ tftp://127.0.0.1:{p}/ ws://127.0.0.1:{p}/
        jar:{s}://127.0.0.1:{p}!/ view-source:{s}://127.0.0.1:{p}/ data:,x javascript:x url:{s}://127.0.0.1:{p}/
        {s}s://127.0.0.1:{p}/ {s}+unix://127.0.0.1:{p}/ unix:///run/x.sock""",
}
"""By trick, with white space between them; the scheme is {s}, the sentinel's port {p}."""
ODD = (
    "{s}://127.0.0.1 :{p}/", " {s}://127.0.0.1:{p}/", "{s}://127.0.0.1:{p}/\r\nx: y", "\t{s}://127.0.0.1:{p}/",
    "{s}://127.0.0.1\t:{p}/", "h\nttp://127.0.0.1:{p}/", "{s}://127.0.0.1\0:{p}/", "{s}://①②⑦.0.0.1:{p}/",
    "{s}://127。0。0。1:{p}/", "{s}://127.0.0.１:{p}/", "{s}://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{p}/", "{s}://lo\u00adcalhost:{p}/",
    "{s}://public.example\u2100127.0.0.1:{p}/", "{s}://127.0.0.1\u2028:{p}/", "{s}://[::１]:{p}/",
    "{s}://public.example\uff0f@127.0.0.1:{p}/", "{s}://ｌｏｃａｌｈｏｓｔ:{p}/", "{s}://127.0.0.1:８０/", "",
)  # fmt: skip
"""Those with white space in them, controls, or characters that some readers turn into digits."""
TABLE = [*(text for group in URLS.values() for text in group.split()), *ODD]

NAMES: dict[str, list[str]] = {
    "loop.example": ["127.0.0.1"],
    "loop6.example": ["::1"],
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "mixed6.example": ["2606:4700::1", "::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "compat.example": ["::127.0.0.1"],
    "sixtofour.example": ["2002:7f00:1::"],
    "teredo.example": ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "private.example": ["10.0.0.1"],
    "zero.example": ["0.0.0.0"],
    "metadata.example": ["169.254.169.254"],
    "zone.example": ["fe80::1%lo"],
    "many.example": [*[PUBLIC] * 30, "127.0.0.1"],
    "localhost": ["127.0.0.1", "::1"],
    "x.localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1"],
    "localhost.localdomain": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "xn--loop-.example": ["127.0.0.1"],
}


def addresses(hosts: list[str], port: int) -> list[Address]:
    return [(V6, (h, port, 0, 0)) if ":" in h else (V4, (h, port)) for h in hosts]


def lookup(host: str, port: int) -> list[Address]:
    """Names of the table; else what the system takes for a number, and it takes a lot."""
    if host in NAMES:
        return addresses(NAMES[host], port)
    return ask_system(host, port, socket.AI_NUMERICHOST)


class Sentinel:
    """Listens on every address of this machine, one port for both families; never answers."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET6)
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.sock.bind(("::", 0))
        self.sock.listen(1_000)
        self.sock.setblocking(False)
        self.port = self.sock.getsockname()[1]
        self.dialled: list[Address] = []

    def heard(self) -> int:
        """Connections so far that nobody had counted."""
        count = 0
        with suppress(BlockingIOError):
            while True:
                self.sock.accept()[0].close()
                count += 1
        return count

    def dial(self, found: list[Address]) -> Dialling:
        """Writes down what is dialled; only loopback is, whatever the outcome of a test."""
        self.dialled += [one for one in found if one[1][1] == self.port]
        inside = [one for one in found if one[1][0] in {"127.0.0.1", "::1", "::ffff:127.0.0.1"}]
        return Dialling(inside, CLOCK, PEER)


@pytest.fixture
def sentinel() -> Iterator[Sentinel]:
    try:
        made = Sentinel()
    except OSError:
        pytest.skip("no IPv6 here")
    with made.sock:
        yield made


Way = Callable[[Egress, str], Awaitable[Any]]


async def by_fetch(egress: Egress, url: str) -> Any:
    return await fetch(egress, url)


async def by_fetch_with_redirects(egress: Egress, url: str) -> Any:
    return await fetch(egress, url, redirects_max=5)


async def by_post(egress: Egress, url: str) -> Any:
    return await fetch(egress, url, Message("POST", body=b"x"))


async def by_httpx(egress: Egress, url: str) -> Any:
    async with httpx.AsyncClient(transport=EgressTransport(egress)) as client:
        return await client.get(url)


async def by_httpx_with_redirects(egress: Egress, url: str) -> Any:
    async with httpx.AsyncClient(
        transport=EgressTransport(egress), follow_redirects=True
    ) as client:
        return await client.get(url)


WAYS = [by_fetch, by_fetch_with_redirects, by_post, by_httpx, by_httpx_with_redirects]
REFUSALS = (
    HedgerowError, httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError,
)  # fmt: skip
"""Ours, and what httpx and its readers of names say before anybody asks us."""
HARMLESS = (httpx.RemoteProtocolError, httpx.TooManyRedirects)
"""Of a Location that httpx cannot read, or that leads to the start again."""


def test_the_table_is_as_long_as_it_should_be_and_names_nothing_twice() -> None:
    assert len(TABLE) >= 120
    assert len(TABLE) == len(set(TABLE))


def test_the_sentinel_hears_what_is_not_guarded(sentinel: Sentinel) -> None:
    for host in ("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "::1", "::ffff:127.0.0.1"):
        socket.create_connection((host, sentinel.port)).close()

    assert 7 == sentinel.heard()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_url_of_the_table_passes_but_names_that_must_be_looked_up(scheme: str) -> None:
    reach = Reach(("http", "https"), frozenset({8080}))
    passed = []
    for text in TABLE:
        with suppress(InvalidRequestError):
            passed.append(check_url(text.format(s=scheme, p=8080), reach).host)

    assert all(name.endswith(".example") and name in NAMES for name in passed), passed


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("way", WAYS)
async def test_no_url_of_the_table_leads_inside(sentinel: Sentinel, way: Way, scheme: str) -> None:
    ports = frozenset({80, 443, sentinel.port})
    async with egress_to(lookup=lookup, ports=ports, dial=sentinel.dial) as egress:
        for text in TABLE:
            with pytest.raises(REFUSALS):
                await way(egress, text.format(s=scheme, p=sentinel.port))
    assert ([], 0) == (sentinel.dialled, sentinel.heard())


@pytest.mark.parametrize("way", [by_fetch_with_redirects, by_httpx_with_redirects])
async def test_no_redirect_to_a_url_of_the_table_leads_inside(sentinel: Sentinel, way: Way) -> None:
    location = b""

    def inward(request: bytes) -> bytes:
        if not request.startswith(b"GET /start "):
            return OK  # a relative reference to ourselves
        return b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: " + location + b"\r\n\r\n"

    ports = frozenset({80, 443, sentinel.port})
    async with source(inward) as one:
        async with egress_to(one.place, lookup=lookup, ports=ports, dial=sentinel.dial) as egress:
            for text in TABLE:
                location = text.format(s="http", p=sentinel.port).encode()
                with suppress(*REFUSALS, *HARMLESS):
                    await way(egress, one.url("/start"))
    assert ([], 0) == (sentinel.dialled, sentinel.heard())
    assert len(one.requests) >= len(TABLE)


async def test_no_redirect_leads_to_a_refused_address_by_https_either(sentinel: Sentinel) -> None:
    inward = head_of(
        f"location: https://127.0.0.1:{sentinel.port}/", "content-length: 0", status="301 M"
    )
    async with source(lambda _: inward) as one, egress_to(one.place) as egress:
        with pytest.raises(UpstreamUnavailableError, match="redirects to where we do not go"):
            await fetch(egress, one.url(), redirects_max=1)
    assert 0 == sentinel.heard()


class Flipping:
    """A name server of a stranger: public when first asked, loopback from then on."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[Address]:
        self.asked += 1
        return addresses([PUBLIC if self.asked == 1 else "127.0.0.1"], port)


@pytest.mark.parametrize("way", WAYS)
async def test_a_name_that_flips_between_calls_leads_to_what_was_checked(
    sentinel: Sentinel, way: Way
) -> None:
    names, dialled = Flipping(), list[Address]()
    reply = head_of("content-length: 2", "connection: close") + b"ok"
    async with source(lambda _: reply) as public:

        def dial(found: list[Address]) -> Dialling:
            dialled.extend(found)
            return Dialling([(V4, ("127.0.0.1", public.port))], CLOCK, PEER)

        ports = frozenset({sentinel.port})
        async with egress_to(lookup=names, ports=ports, dial=dial) as egress:
            url = f"http://flip.example:{sentinel.port}/"
            await way(egress, url)
            assert 1 == names.asked
            with pytest.raises(UpstreamUnavailableError, match="public addresses"):
                await way(egress, url)
    assert (addresses([PUBLIC], sentinel.port), 0) == (dialled, sentinel.heard())


async def test_no_proxy_of_the_environment_is_used(
    sentinel: Sentinel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.setenv(name, f"http://127.0.0.1:{sentinel.port}")
    async with source() as one, egress_to(one.place) as egress:
        for way in WAYS:
            await way(egress, one.url())
    assert 0 == sentinel.heard()


async def test_what_the_operator_listed_is_reached_with_tls_by_its_name() -> None:
    ca, trusting = trustme.CA(), egress_tls()
    ca.configure_trust(trusting)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("search.internal", "127.0.0.1").configure_cert(theirs)
    names: list[str | None] = []
    theirs.sni_callback = lambda sock, name, context: names.append(name)
    inside = lambda host, port: addresses(["127.0.0.1"], port)
    async with source(tls=theirs) as one:
        places = (f"search.internal:{one.port}", one.place)
        async with egress_to(*places, lookup=inside, tls=trusting) as egress:
            for way in WAYS:
                await way(egress, one.url("/", "https", "search.internal"))
            await fetch(egress, one.url("/", "https"))
            for text in (one.url("/", "https", "other.internal"), "https://127.0.0.1/"):
                with pytest.raises(InvalidRequestError):
                    await fetch(egress, text)
    assert (["search.internal", None], 2) == (names, one.accepted)


def test_the_list_excuses_one_host_with_one_port() -> None:
    reach = Reach(("http",), allow=allowed(["127.0.0.1:8080"]))

    assert check_url("http://127.0.0.1:8080/", reach).listed
    for text in ("http://127.0.0.1:8081/", "http://127.1:8080/", "http://localhost:8080/"):
        with pytest.raises(InvalidRequestError):
            check_url(text, reach)


async def load(egress: Egress, url: str, *, at_once: int, requests: int) -> float:
    """CPU seconds per request, both sides together."""
    left = iter(range(requests))

    async def work() -> None:
        for _ in left:
            assert b"ok" == (await fetch(egress, url)).body

    began = time.process_time()
    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(work)
    return (time.process_time() - began) / requests


@pytest.mark.parametrize("connections", [50, 200])
async def test_many_requests_cost_no_more_each_than_a_few(connections: int) -> None:
    async with source() as one:
        pool = {"connections_max": connections, "idle_max": 200}
        async with egress_to(one.place, pool=pool) as egress:
            await load(egress, one.url(), at_once=200, requests=400)
            few, many = [], []
            for _ in range(3):
                few.append(await load(egress, one.url(), at_once=20, requests=400))
                many.append(await load(egress, one.url(), at_once=200, requests=400))
        assert one.accepted <= connections
    assert min(many) / min(few) < 1.5
