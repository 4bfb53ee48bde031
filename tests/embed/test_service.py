"""A service takes requests while it runs, in the process that made it, and no longer."""

import os

import pytest
import trio

from proxy.doors.inprocess import InProcess
from proxy.embed.service import NotRunningError, Service, serving
from proxy.model.head import RequestHead
from tests.embed.rig import CHAT, Provider, ask


def call(model: str) -> InProcess:
    """A request."""
    body = str(ask(model)).replace("'", '"').replace("False", "false").encode()
    return InProcess(RequestHead("POST", CHAT, b"", {}), body, reader_s=5)


async def test_draining_answers_what_was_begun_and_takes_nothing_more(provider: Provider) -> None:
    async with serving(provider.document(), listen=False, environ={}) as service:
        begun = call("a/slow")
        service.begin(begun)
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.drain)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(NotRunningError):
                service.begin(call("a/text"))
            await begun.opened()
        assert (200, 0) == (begun.status, service.calls)


async def test_it_stops_with_its_block_and_stays_behind_at_a_fork(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Service] = []
    async with serving(provider.document(), listen=True, environ={}) as service:
        kept.append(service)
        assert service.base_url.startswith("http://127.0.0.1:")
        assert service is service.checked()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(NotRunningError, match="fork"):
            service.checked()
        monkeypatch.undo()

    for use in (kept[0].checked, lambda: kept[0].begin(call("a/text"))):
        with pytest.raises(NotRunningError, match="stopped"):
            use()


@pytest.mark.parametrize(
    ("bind", "url"),
    [("0.0.0.0:0", "http://127.0.0.1:"), ("[::1]:0", "http://[::1]:"), ("unix:x.sock", "")],
)
async def test_the_url_is_one_that_this_machine_can_dial(
    bind: str, url: str, provider: Provider, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    keyed = {"server": {"bind": [bind]}, "auth": {"keys": ["env:KEY"]}}
    async with serving(provider.document(**keyed), listen=True, environ={"KEY": "k"}) as service:
        if url:
            assert service.base_url.startswith(url)
        else:
            with pytest.raises(NotRunningError, match="no TCP address"):
                service.base_url  # noqa: B018
