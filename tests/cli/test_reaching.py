"""Reaching a running gateway."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from proxy.cli.reaching import AwayError, Reached, base_of, headers_for, is_near, message_of
from proxy.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/api/v1", "http://h:1/api/v1/"],
)
def test_an_address_may_or_may_not_end_with_the_path_of_the_api(url: str) -> None:
    assert "http://h:1" == base_of(url)


def test_a_socket_is_an_address_too() -> None:
    assert "unix:/run/h.sock" == base_of("unix:/run/h.sock")


@pytest.mark.parametrize("url", ["", "h:1", "ftp://h", "http://", "http://h:99999", "http://[::1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="^--url: "):
        base_of(url)


@pytest.mark.parametrize(
    ("base", "near"),
    [("http://127.0.0.1:1", True), ("http://localhost", True), ("http://[::1]:8", True),
     ("unix:/x", True), ("https://gate.test", False), ("http://10.0.0.1", False)],
)  # fmt: skip
def test_no_proxy_leads_to_this_machine(base: str, near: bool) -> None:
    assert near is is_near(base)


def test_the_key_is_found_where_the_reference_says(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    environ = {"HEDGEROW_API_KEY": "usual", "OTHER": "other"}

    assert {} == headers_for(None, {})
    assert {"authorization": "Bearer usual"} == headers_for(None, environ)
    assert {"authorization": "Bearer other"} == headers_for("env:OTHER", environ)
    assert {"authorization": "Bearer from-file"} == headers_for(f"file:{file}", environ)


def test_a_key_itself_in_the_command_line_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="^--key: ") as caught:
        headers_for("sk-hr-v1-secret", {})

    assert "sk-hr-v1" not in caught.value.message


def reached(answer: Callable[[], httpx.Response]) -> bytes:
    return Reached("http://h:1", None, {}).read(answer)


def test_json_is_an_answer() -> None:
    assert b'{"data":1}' == reached(
        lambda: httpx.Response(
            200, content=b'{"data":1}', headers={"content-type": "application/json"}
        )
    )


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (httpx.Response(401, json={"error": {"message": "No auth credentials found"}}),
         "http://h:1 wants a key (No auth credentials found); say --key env:NAME"),
        (httpx.Response(400, json={"error": {"message": "x is not\x1b[2J a model"}}),
         "http://h:1 answered 400: x is not [2J a model"),
        (httpx.Response(200, text="<html>"),
         "what answers at http://h:1 is no Hedgerow gateway (status 200)"),
        (httpx.Response(404, json=[1]),
         "what answers at http://h:1 is no Hedgerow gateway (status 404)"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said_in_one_line(reply: httpx.Response, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reached(lambda: reply)

    assert said == caught.value.message
    assert not isinstance(caught.value, AwayError)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"),
         "no gateway answers at http://h:1 ([Errno 111] Connection refused)"),
        (httpx.ReadError(""), "no gateway answers at http://h:1 (ReadError)"),
        (httpx.ReadTimeout("slow"), "http://h:1 does not answer in time"),
    ],
)  # fmt: skip
def test_a_gateway_that_is_not_there_is_told_apart(failure: Exception, said: str) -> None:
    def fail() -> httpx.Response:
        raise failure

    with pytest.raises(AwayError) as caught:
        reached(fail)

    assert said == caught.value.message


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'{"error":"text"}', b'{"error":{}}'])
def test_a_body_without_a_message_has_none(body: bytes) -> None:
    assert "" == message_of(body)
