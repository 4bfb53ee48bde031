"""The bench's mock, its options, and whole runs: who is measured in which lanes, and what ends a run."""

import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from typing_extensions import override

from bench import __main__ as command, mock, report, rounds
from bench.checks import Expected
from bench.lanes import Bench
from bench.machine import (
    Pinning,
    cpu_s,
    peak_kib,
    pinning,
    reset_peak,
    rss_kib,
    settle,
    tree,
    waited_s,
)
from bench.metrics import PARTS, Part
from bench.mock import Mock
from bench.peers import roster
from bench.peers.direct import DIRECT
from bench.peers.hedgerow import HEDGEROW
from bench.peers.nginx import NGINX
from bench.peers.peer import BenchError, Peer, Site, Start
from bench.posts import KINDS, PASSED, STREAMS, TRANSLATED
from bench.replies import EVENTS_PER_MESSAGE, EVENTS_PER_STREAM, build
from bench.servers import Target
from tests.bench.mocks import serving

ROOT = Path(__file__).resolve().parents[2]
LIAR = """\
import socket, time
from bench.mock import Mock
from tests.bench.mocks import one_wrong, swapped_end
Mock(socket.create_server(("127.0.0.1", {port})), one_wrong(swapped_end)).run(time.monotonic() + 60)
"""


class Liar(Peer):
    """A gateway that spoils one reply in a thousand."""

    @override
    def version(self) -> str:
        return "1"

    @override
    def start(self, site: Site) -> Start:
        code = LIAR.format(port=site.port)
        return Start([sys.executable, "-c", code], ready="/", cwd=ROOT)


class Broken(Liar):
    """One that does not start."""

    @override
    def start(self, site: Site) -> Start:
        return Start([sys.executable, "-c", "raise SystemExit('no such key')"], ready="/")


def peer(kind: type[Peer], name: str) -> Peer:
    return kind(name, name.title(), "", PASSED)


def made(parts: tuple[Part, ...], *, wrk: bool = True, brief: bool = False) -> Bench:
    """A bench of the mock, nginx and Hedgerow that is not run."""
    targets = [Target(p.name, 1, os.getpid(), p, 1) for p in (DIRECT, NGINX, HEDGEROW)]
    kinds = {t.name: {k: Expected(k) for k in t.peer.kinds} for t in targets}
    direct, *proxies = targets
    return Bench(direct, tuple(proxies), 3, Pinning(0, 1), parts, kinds, wrk=wrk, brief=brief)


def titles(bench: Bench) -> list[str]:
    return [lane.title for lane in rounds.one_round(bench, 1)]


def test_a_stream_has_64_content_chunks_a_finish_a_usage_and_done() -> None:
    for utf8 in (False, True):
        for replies in build(utf8=utf8):
            head, _, _ = replies.burst.partition(b"\r\n\r\n")
            assert b"Transfer-Encoding: chunked" in head
            assert EVENTS_PER_STREAM == len(replies.paced)
            assert replies.burst == b"".join(replies.paced)
            events = [f.split(b"data: ")[1].split(b"\n")[0] for f in replies.paced]
            chunks = [json.loads(event) for event in events[:-1]]
            texts = [chunk["choices"][0]["delta"]["content"] for chunk in chunks[:64]]
            assert replies.text_streamed == "".join(texts)
            assert all(texts)
            assert "stop" == chunks[64]["choices"][0]["finish_reason"]
            assert [] == chunks[65]["choices"]
            assert 64 == chunks[65]["usage"]["completion_tokens"]
            assert b"[DONE]" == events[66]


def test_anthropics_stream_says_the_same_in_its_own_events() -> None:
    for replies in build():
        assert EVENTS_PER_MESSAGE == len(replies.message_paced)
        lines = [w[w.index(b"event: ") :].split(b"\n") for w in replies.message_paced]
        events = [json.loads(line[1].removeprefix(b"data: ")) for line in lines]
        assert [line[0].removeprefix(b"event: ").decode() for line in lines] == [
            event["type"] for event in events
        ]
        assert "message_start content_block_start ping".split() == [e["type"] for e in events[:3]]
        assert replies.text_streamed == "".join(e["delta"]["text"] for e in events[3:67])
        assert "content_block_stop message_delta message_stop".split() == [
            e["type"] for e in events[67:]
        ]
        assert 64 == events[68]["usage"]["output_tokens"]


def test_the_variants_differ_and_are_600_bytes_and_a_little() -> None:
    bodies = {replies.plain.partition(b"\r\n\r\n")[2] for replies in build()}

    assert 16 == len(bodies)
    assert all(590 < len(body) < 640 for body in bodies)


def test_the_mock_answers_every_kind_also_split_and_pipelined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mock, "PACE_S", 0.001)
    with serving() as target:
        connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=5)
        for kind in KINDS:
            call = target.post(kind)
            connection.request("POST", call.path, call.body)
            body = connection.getresponse().read()
            events = EVENTS_PER_MESSAGE if kind in TRANSLATED else EVENTS_PER_STREAM
            assert (events if kind in STREAMS else 0) == body.count(b"data: ")
        connection.request("GET", "/stats")
        stats = json.loads(connection.getresponse().read())
        connection.close()
        assert {"requests": 8, "events_paced": EVENTS_PER_STREAM} == stats

        wanted = target.post("plain").encoded("mock")
        with socket.create_connection(("127.0.0.1", target.port), timeout=5) as sock:
            sock.sendall(wanted[:40])
            time.sleep(0.01)
            sock.sendall(wanted[40:] + wanted)
            got = b""
            while got.count(b"HTTP/1.1 200") < 2:
                got += sock.recv(65536)
        with socket.create_connection(("127.0.0.1", target.port), timeout=5) as sock:
            sock.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 400")


def test_a_stream_is_written_as_its_path_says() -> None:
    for kind, writes in (("chunks", EVENTS_PER_STREAM), ("burst", 1), ("translate_stream", 70)):
        sent: list[bytes] = []
        silent = Mock.__new__(Mock)
        silent._ascii = silent._utf8 = itertools.cycle(build(variants=1))
        silent._send = lambda conn, data, sent=sent: sent.append(data)
        request = DIRECT.post(kind, 1).encoded("mock")
        silent._reply(None, request, request.find(b"\r\n\r\n"), len(request))
        assert writes == len(sent)


def test_quick_is_one_round_and_options_win() -> None:
    assert (1, 1) == (command.arguments(["--quick"]).rounds, command.arguments(["--quick"]).seconds)
    assert 2 == command.arguments(["--quick", "--rounds", "2"]).rounds
    assert ("half", "paced") == command.arguments(["--only", "half", "--only", "paced"]).parts
    assert PARTS == command.arguments([]).parts


def test_targets_are_chosen_by_name_and_the_mock_is_always_there() -> None:
    chosen = command.arguments(["--targets", "hedgerow,nginx"]).peers

    assert ["direct", "nginx", "hedgerow"] == [peer.name for peer in chosen]
    with pytest.raises(SystemExit):
        command.arguments(["--targets", "nginx,apache"])


def test_half_load_and_memory_need_saturated_rates_and_nobody_else_does() -> None:
    assert [*(f"saturated, {kind}" for kind in ("plain", "chunks"))] == titles(made(("half",)))[:2]
    assert "memory after the load" == titles(made(("memory",)))[2]
    assert ["32 paced streams", "200 paced streams"] == titles(made(("paced",)))
    assert [] == titles(made(("coldstart",)))


def test_without_wrk_the_lanes_of_the_python_clients_are_left() -> None:
    found = titles(made(PARTS, wrk=False))

    assert ["half load, plain", "half load, chunks"] == found[:2]
    assert "clients that leave" == found[-1]
    assert not any("saturated" in title or "ladder" in title for title in found)


def test_a_brief_run_climbs_three_steps_and_starts_once() -> None:
    assert 8 == sum("ladder" in title for title in titles(made(("ladder",))))
    assert 3 == sum("ladder" in title for title in titles(made(("ladder",), brief=True)))
    assert 5 == len(list(rounds.once.lanes(made(("coldstart",)))))
    assert 1 == len(list(rounds.once.lanes(made(("coldstart",), brief=True))))


def test_only_those_who_translate_are_in_the_lanes_that_need_it() -> None:
    lanes = {lane.title: lane for lane in rounds.one_round(made(PARTS), 1)}

    assert ["direct", "hedgerow"] == [t.name for t in lanes["saturated, translate"].targets]
    assert ["nginx", "hedgerow"] == [t.name for t in lanes["half load, plain"].targets]


def test_a_whole_run_takes_less_than_half_an_hour() -> None:
    bench = made(PARTS)

    assert 0 < rounds.planned_s(bench, 3) / len(bench.targets) * 7 < 1_800


def test_proc_knows_this_process() -> None:
    me = os.getpid()

    assert me == tree(me)[0]
    assert cpu_s(me) > 0
    assert waited_s(me) >= 0
    assert 1000 < rss_kib(me) <= peak_kib(me)
    assert [] == tree(2**22 + 1)
    assert 0 == rss_kib(2**22 + 1)


def test_who_still_works_is_waited_for() -> None:
    busy = "import time; ends = time.monotonic() + 0.7\nwhile time.monotonic() < ends: pass\ntime.sleep(9)"
    with subprocess.Popen([sys.executable, "-c", busy]) as child:
        try:
            time.sleep(0.1)
            assert not settle(child.pid, within_s=0.25)
            assert settle(child.pid, within_s=20)
        finally:
            child.kill()


def test_a_peak_can_be_reset() -> None:
    me = os.getpid()
    spare = bytearray(64 << 20)
    spare[::4096] = b"x" * len(spare[::4096])
    high = peak_kib(me)
    del spare
    reset_peak(me)

    assert peak_kib(me) < high - 32 * 1024


def test_on_one_core_nothing_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    pins = pinning()
    console = Console(record=True, width=160)
    report.heading(pins, {"nginx": "it is not installed"}, console)
    said = console.export_text()

    assert Pinning(None, None) == pins
    assert [] == pins.prefix(pins.proxy)
    assert "cores    ONE" in said
    assert "missing  nginx: it is not installed" in said


def test_a_run_measures_hedgerow_names_who_is_missing_and_saves_it_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setitem(roster.PEERS, "broken", peer(Broken, "broken"))
    console = Console(record=True, width=160)
    argv = ["--quick", "--only", "coldstart", "--targets", "broken,hedgerow", "--no-install"]
    command.run(command.arguments(argv), console)
    (file,) = tmp_path.iterdir()
    saved = json.loads(file.read_text())

    assert "it did not start: broken ended with code 1" in saved["targets"][2]["missing"]
    assert [None, None] == [target["missing"] for target in saved["targets"][:2]]
    assert 1 == len(saved["values"]["coldstart.first"]["hedgerow"])
    assert "coldstart.first" in [budget["metric"] for budget in saved["budgets"]]
    assert "cold start 1 of at most 1, about" in console.export_text()


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_a_gateway_that_spoils_one_reply_in_a_thousand_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setitem(roster.PEERS, "liar", peer(Liar, "liar"))
    monkeypatch.setattr(
        sys, "argv", ["bench", "--quick", "--only", "saturated", "--targets", "liar"]
    )
    with pytest.raises(SystemExit) as ended:
        command.main()

    assert 1 == ended.value.code
    assert "bench: liar, plain: a wrong reply: another end" in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_a_target_is_asked_everything_before_the_run_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mock, "PACE_S", 0.001)
    with serving() as target:
        assert set(KINDS) == set(rounds.preflight([target], PARTS)["direct"])
        assert {"plain"} == set(rounds.preflight([target], ["ladder", "coldstart"])["direct"])
    with pytest.raises(BenchError, match="direct, plain: Connection"):
        rounds.preflight([target], PARTS)
