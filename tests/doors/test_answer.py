"""Behind every door a request is answered, whatever happens to it."""

import json
import logging
from typing import Any

import pytest

from proxy.doors import answer as answering
from proxy.doors.answer import answer
from proxy.errors import ClientClosedError, PermissionDeniedError
from proxy.model.head import RequestHead
from tests.fakes.downstream import FakeDownstream, a_gateway

CHAT = "/api/v1/chat/completions"


def asking(path: str, method: str = "POST") -> FakeDownstream:
    return FakeDownstream(RequestHead(method, path, b"", {b"host": b"localhost"}))


@pytest.mark.parametrize(
    ("method", "path", "where"),
    [("POST", CHAT, "exchange"), ("GET", CHAT, "bridge"), ("POST", "/x", "bridge")],
)
async def test_inference_is_exchanged_and_all_else_goes_to_the_console(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, where: str
) -> None:
    called = []

    async def exchange(*_: Any) -> int:
        called.append("exchange")
        return 200

    async def bridge(*_: Any) -> None:
        called.append("bridge")

    monkeypatch.setattr(answering, "exchange", exchange)
    monkeypatch.setattr(answering, "bridge", bridge)
    await answer(a_gateway(), None, asking(path, method))  # type: ignore[arg-type]

    assert [where] == called


@pytest.mark.parametrize(
    ("error", "status", "logged"),
    [(PermissionDeniedError("no"), 403, 0), (ZeroDivisionError("secret"), 500, 1)],
)
@pytest.mark.parametrize("started", [False, True])
async def test_what_goes_wrong_is_told_once_and_no_more_than_may_be_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    error: Exception, status: int, logged: int, started: bool,
) -> None:  # fmt: skip
    async def failing(_gateway: Any, downstream: FakeDownstream, *_: Any) -> int:
        if started:
            downstream.start(200, b"")
        raise error

    monkeypatch.setattr(answering, "exchange", failing)
    downstream = asking(CHAT)
    with caplog.at_level(logging.ERROR):
        await answer(a_gateway(), None, downstream)  # type: ignore[arg-type]

    assert logged == len(caplog.records)
    assert (200 if started else status) == downstream.status
    if not started:
        told = json.loads(b"".join(downstream.written))["error"]
        assert status == told["code"]
        assert "secret" not in told["message"]


async def test_a_client_that_is_gone_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any) -> int:
        raise ClientClosedError("The client left.")

    monkeypatch.setattr(answering, "exchange", gone)
    downstream = asking(CHAT)
    with pytest.raises(ClientClosedError):
        await answer(a_gateway(), None, downstream)  # type: ignore[arg-type]

    assert 0 == downstream.status
