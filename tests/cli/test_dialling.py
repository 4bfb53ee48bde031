"""Dialling tells in a few words whether a provider is there."""

import ssl

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from proxy.cli import dialling
from proxy.model.endpoint import Provider

SECURE = Provider(id="s", name="S", dialect="openai-chat", base_url="https://s.example/v1")
PLAIN = Provider(id="p", name="P", dialect="openai-chat", base_url="http://p.example:81/v1")


def answer_with(monkeypatch: pytest.MonkeyPatch, outcome: BaseException | trio.abc.Stream) -> None:
    async def open_tcp_stream(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(trio, "open_tcp_stream", open_tcp_stream)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "refused: Connection refused"),
        (OSError(), "refused: OSError"),
        (ssl.SSLError("x"), "TLS failed: SSLError"),
    ],
)
async def test_a_failure_is_a_few_words(
    monkeypatch: pytest.MonkeyPatch, error: OSError, expected: str
) -> None:
    answer_with(monkeypatch, error)

    assert await dialling.dial(PLAIN) == expected


async def test_a_certificate_that_is_refused_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "self-signed certificate"
    answer_with(monkeypatch, error)

    assert await dialling.dial(SECURE) == "certificate refused: self-signed certificate"


async def test_a_plain_provider_that_accepts_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, memory_stream_pair()[0])

    assert await dialling.dial_all({"p": PLAIN}) == {"p": "ok"}


async def test_a_secure_provider_that_hangs_up_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = memory_stream_pair()
    await theirs.aclose()
    answer_with(monkeypatch, ours)

    assert (await dialling.dial(SECURE)).startswith("TLS failed")


async def test_a_silent_provider_is_given_up(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    answer_with(monkeypatch, memory_stream_pair()[0])

    assert await dialling.dial(SECURE) == "no answer within 10 s"
