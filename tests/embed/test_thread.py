"""A gateway in a thread: started, asked, stopped, left behind, whatever the program does."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import pytest

import proxy
from proxy.embed.service import NotRunningError
from proxy.embed.thread import ThreadedGateway
from tests.cli.process import ROOT, clean_environment
from tests.embed.rig import CHAT, Provider, ask


def chat(base_url: str, model: str = "a/text", **options: Any) -> httpx.Response:
    """One request over the socket."""
    return httpx.post(
        base_url.removesuffix("/api/v1") + CHAT, json=ask(model), trust_env=False, **options
    )


def alive() -> int:
    """Threads of gateways."""
    return sum(thread.name == "hedgerow" for thread in threading.enumerate())


def test_several_listen_at_once_on_free_ports_and_stop(provider: Provider) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    settings = provider.document()

    with (
        proxy.start_in_thread(settings, environ={}) as one,
        proxy.start_in_thread(settings, environ={}) as two,
    ):
        assert one.base_url != two.base_url
        assert one.base_url.startswith("http://127.0.0.1:")
        assert one.base_url.endswith("/api/v1")
        assert [200, 200] == [chat(each.base_url).status_code for each in (one, two)]
        assert 2 == alive()

    assert 0 == alive()
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(httpx.ConnectError):
        chat(one.base_url)


def test_settings_may_say_where_to_listen(provider: Provider) -> None:
    with proxy.start_in_thread(provider.document(), environ={}) as free:
        port = int(free.base_url.split(":")[2].split("/")[0])
    bind = {"server": {"bind": [f"127.0.0.1:{port}"]}}

    with proxy.start_in_thread(provider.document(**bind), environ={}) as said:
        assert f"http://127.0.0.1:{port}/api/v1" == said.base_url


def test_without_a_socket_there_is_no_url(provider: Provider) -> None:
    with (
        proxy.start_in_thread(provider.document(), listen=False, environ={}) as gateway,
        pytest.raises(NotRunningError),
    ):
        gateway.base_url  # noqa: B018


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"limits": {"x": 1}}, "limits.x"),
        ({"server": {"bind": ["192.0.2.1:1"]}, "auth": {"keys": ["sha256:" + "0" * 64]}},
         "server.bind: cannot listen on 192.0.2.1:1"),
        ({"providers": {"openai": {"api_key": "env:NONE"}}}, "NONE"),
    ],
)  # fmt: skip
def test_what_goes_wrong_at_start_is_raised_here(settings: Any, line: str) -> None:
    with pytest.raises(proxy.ConfigError, match=line):
        proxy.start_in_thread(settings, environ={})

    for thread in threading.enumerate():
        if thread.name == "hedgerow":
            thread.join(5)
    assert 0 == alive()


def test_stopping_lets_requests_end_for_a_while(provider: Provider) -> None:
    gateway = proxy.start_in_thread(provider.document(), environ={})
    with ThreadPoolExecutor(1) as pool:
        begun = provider.inside(lambda: len(provider.replay.log))
        answer = pool.submit(chat, gateway.base_url, "a/slow")
        while provider.inside(lambda: len(provider.replay.log)) == begun:
            pass
        gateway.stop(5)
        assert 200 == answer.result(5).status_code
    gateway.stop()


def test_what_is_left_then_is_cut(provider: Provider) -> None:
    gateway = proxy.start_in_thread(provider.document(), environ={})
    with ThreadPoolExecutor(1) as pool:
        begun = provider.inside(lambda: len(provider.replay.log))
        answer = pool.submit(chat, gateway.base_url, "a/slow")
        while provider.inside(lambda: len(provider.replay.log)) == begun:
            pass
        began = perf_counter()
        gateway.stop(0.1)
        assert perf_counter() - began < 0.35
        with pytest.raises(httpx.RemoteProtocolError):
            answer.result(5)


def test_stopping_before_it_has_started_stops_it(provider: Provider) -> None:
    gateway = ThreadedGateway(provider.document(), listen=True, environ={})
    gateway.stop(0)

    assert 0 == alive()


PROGRAM = """
import {imports}
import proxy
gateway = proxy.start_in_thread({{}}, environ={{}})
{body}
"""


@pytest.mark.parametrize(
    ("imports", "body", "code"),
    [
        ("sys", "print('done')", 0),
        ("sys", "print('done'); sys.exit(3)", 3),
        ("threading, urllib.request as u",
         "print('done')\n"
         "def ask():\n"
         "    try: u.urlopen(gateway.base_url.replace('/api/v1', '/healthz/ready')).read()\n"
         "    except OSError: pass\n"
         "threading.Thread(target=ask).start()", 0),
        ("asyncio",
         "async def main(): print('done')\nasyncio.run(main())", 0),
        ("os",
         "if os.fork(): print('done'); os.wait()\n"
         "else:\n"
         "    try: gateway.transport()._find().checked()\n"
         "    except Exception as error: assert 'fork' in str(error)\n"
         "    else: print('used behind a fork')\n"
         "    gateway.stop()", 0),
    ],
)  # fmt: skip
def test_the_interpreter_ends_without_a_hang_or_a_word(imports: str, body: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", PROGRAM.format(imports=imports, body=body)],
        cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip

    assert (code, "done\n", "") == (done.returncode, done.stdout, done.stderr)


def test_what_it_leaves_on_disk_is_gone_when_the_interpreter_ends(tmp_path: Path) -> None:
    code = "import os, proxy\n"
    code += "settings = {'server': {'bind': ['unix:./x.sock']}}\n"
    code += "gateway = proxy.start_in_thread(settings, environ={})\nprint(os.listdir())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip

    assert ("['x.sock']\n", "", []) == (done.stdout, done.stderr, list(tmp_path.iterdir()))


def test_an_interrupt_reaches_the_program_and_not_the_gateway() -> None:
    body = (
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(5)\n"
        "except KeyboardInterrupt: print('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(imports="time", body=body)],
        cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip

    assert (0, "done\n", "") == (done.returncode, done.stdout, done.stderr)
