"""Addresses to listen on."""

import pytest

from proxy.config.bind import Bind, parse_bind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", Bind(host="127.0.0.1", port=8080)),
        ("localhost:0", Bind(host="localhost", port=0)),
        ("[::1]:8080", Bind(host="::1", port=8080)),
        ("unix:/run/hedgerow.sock", Bind(path="/run/hedgerow.sock")),
    ],
)
def test_each_form_is_read(text: str, expected: Bind) -> None:
    assert expected == parse_bind(text)


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "127.0.0.1", "::1:8080", "[::g]:80", "[]:80", "a b:80", "h:70000",
     "http://h:80", "unix:", "unix:/a\0b", "unix:/" + "x" * 107, "h:-1", "h:\uff18"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_bind(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("[::ffff:127.0.0.1]:1", True),
        ("unix:/a", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("my-machine:1", False),
    ],
)
def test_only_what_stays_on_this_machine_is_loopback(text: str, expected: bool) -> None:
    assert expected == parse_bind(text).loopback
