"""URLs as strangers write them: one reading, or none."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, strategies as st

from proxy.errors import ConfigError, InvalidRequestError, UpstreamUnavailableError
from proxy.policy.destinations import (
    URL_CHARACTERS_MAX,
    Destination,
    Reach,
    allowed,
    check_url,
    redirected,
)

BOTH = Reach(("https", "http"), frozenset({80, 443, 8080}), allowed(["[::1]:9", "searxng:8888"]))
SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM/Path", "https://example.com/Path"),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("https://example.com?x", "https://example.com/?x"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("http://example.com:8080/%41%2f..a/b.", "http://example.com:8080/%41%2f..a/b."),
        ("https://1.1.1.1/x", "https://1.1.1.1/x"),
        ("https://[2606:4700::1]:8080/x", "https://[2606:4700::1]:8080/x"),
        ("https://xn--mnchen-3ya.de/", "https://xn--mnchen-3ya.de/"),
        ("https://a_b.s3.example.com/?q=%0a'[]|{}^`", "https://a_b.s3.example.com/?q=%0a'[]|{}^`"),
        ("http://searxng:8888/search?q=1", "http://searxng:8888/search?q=1"),
        ("http://[::1]:9/", "http://[::1]:9/"),
    ],
)
def test_a_plain_url_has_one_form(text: str, url: str) -> None:
    found = check_url(text, BOTH)

    assert url == found.url
    assert found == check_url(found.url, BOTH)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("https://a.example/" + "x" * URL_CHARACTERS_MAX, "characters"),
        ("https://a.example/\\", "backslash"),
        (" https://a.example/", "white space"),
        ("https://a.example/\r\nx", "control"),
        ("https://\u2460\u2461\u2466.0.0.1/", "non-ASCII"),
        ("a.example/", "not absolute"),
        ("//a.example/", "not absolute"),
        ("https:/a.example/", "not absolute"),
        ("https:a.example/", "not absolute"),
        ("ftp://a.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("https:///x", "no plain name"),
        ("https://:443/", "no plain name"),
        ("https://u@a.example/", "no plain name"),
        ("https://u:p@a.example/", "no plain name"),
        ("https://a.example:/", "no plain name"),
        ("https://a.example:0443/", "no plain name"),
        ("https://a.example:-1/", "no plain name"),
        ("https://a%2eexample/", "no plain name"),
        ("https://[fe80::1%25eth0]/", "no plain name"),
        ("https://a.example:80:80/", "no plain name"),
        ("https://a.example:65536/", "port does not exist"),
        ("https://a.example:22/", "port is not one of: 80, 443"),
        ("https://127.1/", "unusual form"),
        ("https://2130706433/", "unusual form"),
        ("https://0x7f000001/", "unusual form"),
        ("https://0x7f.1/", "unusual form"),
        ("https://0177.0.0.1/", "unusual form"),
        ("https://a.example.1/", "unusual form"),
        ("https://256.1.1.1/", "malformed address"),
        ("https://[1::2::3]/", "malformed address"),
        ("https://[0:0:0:0:0:0:0:1]/", "unusual form"),
        ("https://[::ffff:808:808]/", "unusual form"),
        ("https://[::ffff:8.8.8.8]/", "unusual form"),
        ("https://127.0.0.1./", "no well-formed name"),
        ("https://a.example./", "no well-formed name"),
        ("https://a..example/", "no well-formed name"),
        ("https://-a.example/", "no well-formed name"),
        ("https://a-.example/", "no well-formed name"),
        (f"https://{'a' * 64}.example/", "no well-formed name"),
        (f"https://{'a.' * 126}aa/", "no well-formed name"),
        ("https://127.0.0.1/", "not public: loopback"),
        ("https://[::1]/", "not public: loopback"),
        ("https://localhost/", "local name"),
        ("https://metadata.google.internal/", "local name"),
        ("https://intranet/", "local name"),
        ("https://a.example//x", "path"),
        ("https://a.example/a/../b", "path"),
        ("https://a.example/.%2E", "path"),
        ("https://a.example/%00", "path"),
        ("https://a.example/%zz", "path"),
        ("https://a.example/<", "path"),
        ("https://a.example/?%zz", "query"),
        ('https://a.example/?"', "query"),
    ],
)
def test_a_url_that_others_might_read_otherwise_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        check_url(text)


def test_the_operators_list_excuses_from_address_and_port_and_nothing_else() -> None:
    reach = Reach(allow=allowed(["127.0.0.1:8080", "LOCALHOST:1", "[::1]:9"]))

    for text in ("https://127.0.0.1:8080/", "https://localhost:1/", "https://[::1]:9/"):
        assert check_url(text, reach).listed
    for text in (
        "http://127.0.0.1:8080/", "https://127.0.0.1/", "https://127.1:8080/", "https://a@localhost:1/",
        "https://localhost.:1/", "https://localhost:2/", "https://127.0.0.1:8080//x",
    ):  # fmt: skip
        with pytest.raises(InvalidRequestError):
            check_url(text, reach)


def test_a_listed_place_shares_no_connection_with_one_that_is_checked() -> None:
    listed = check_url("https://a.example/", Reach(allow=allowed(["a.example:443"])))

    assert listed.origin != check_url("https://a.example/").origin


@pytest.mark.parametrize(
    "entry", ["a.example", "https://a.example:1", "a.example:", ":1", "127.1:80", "a:70000", "a_:x", "..:1"]
)  # fmt: skip
def test_an_entry_of_the_list_that_is_no_place_is_a_config_error(entry: str) -> None:
    with pytest.raises(ConfigError, match="egress.allow"):
        allowed([entry])


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://b.example/x#y", "https://b.example/x"),
        ("//b.example/x", "https://b.example/x"),
        ("/x?y", "https://a.example/x?y"),
        ("x", "https://a.example/d/x"),
        ("?z", "https://a.example/d/e?z"),
        ("", "https://a.example/d/e"),
    ],
)
def test_a_redirect_is_read_from_where_it_was_said(location: str, url: str) -> None:
    assert url == redirected(check_url("https://a.example/d/e?q"), location).url


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1/", "//[::1]/", "../x", "///x", "javascript:x", "data:,", "x:y", "\\\\127.0.0.1\\", "h\u00e9"],
)  # fmt: skip
def test_a_redirect_to_where_no_url_may_lead_is_the_sources_fault(location: str) -> None:
    with pytest.raises(UpstreamUnavailableError, match="redirects to where we do not go"):
        redirected(check_url("https://a.example/"), location)


def test_a_redirect_never_leads_from_https_to_http() -> None:
    secure = check_url("https://a.example/", BOTH)

    with pytest.raises(UpstreamUnavailableError, match="from https to http"):
        redirected(secure, "http://a.example/", BOTH)
    clear = check_url("http://a.example/", BOTH)
    assert "http://b.example/" == redirected(clear, "http://b.example/", BOTH).url


PIECES = st.sampled_from(
    ["http", "https", "://", "/", "//", "\\", "@", ":", "#", "?", "[", "]", "::1", "127.0.0.1", "a.example",
     "b.example", ".", "..", "%2e", "%", "0x7f", "1", "443", "80", "\t", "\n", " ", "é", "%00", "xn--", "-"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40), st.booleans())
def test_whatever_is_accepted_is_read_in_the_same_way_by_others(rest: str, bare: bool) -> None:
    text = rest if bare else "https://a.example" + rest
    try:
        found = check_url(text, BOTH)
    except InvalidRequestError as error:
        assert SECRET not in error.message
        return
    theirs: Any = urlsplit(found.url)
    port = theirs.port or (443 if theirs.scheme == "https" else 80)
    target = theirs.path + (f"?{theirs.query}" if "?" in found.url else "")
    assert (found.scheme, found.host, found.port, found.target) == (
        theirs.scheme, theirs.hostname, port, target,
    )  # fmt: skip
    assert urlsplit(text).hostname == found.host
    other = httpx.URL(text)
    assert (found.host, found.target) == (other.raw_host.decode(), other.raw_path.decode())


@pytest.mark.parametrize(
    "text",
    [f"https://{SECRET}@a.example/", f"https://a.example/?<{SECRET}", f"{SECRET}://a.example/",
     f"https://{SECRET}/", f"https://a.example:{SECRET}/", f"https://a.example/<{SECRET}"],
)  # fmt: skip
def test_no_message_repeats_a_part_of_the_url(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_url(text)
    assert SECRET not in str(caught.value)


def test_the_host_field_names_a_port_only_where_it_is_not_the_schemes_own() -> None:
    assert "a.example" == Destination("https", "a.example", 443, "/").authority
    assert "[::1]:80" == Destination("https", "::1", 80, "/").authority
