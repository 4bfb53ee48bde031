"""The bench's own arithmetic, its mock and the configurations it writes."""

import http.client
import itertools
import json
import socket
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import rounds, servers, ttfb
from bench.__main__ import arguments
from bench.load import lua
from bench.machine import Pinning, cpu_s, rss_kib, tree
from bench.mock import Mock
from bench.posts import BODY_BYTES, KINDS, post, prefix
from bench.replies import EVENTS_PER_STREAM, build
from bench.servers import Target

UNPINNED = Pinning(None, None)


@contextmanager
def mock_in_thread() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    mock = Mock(listener)
    thread = threading.Thread(target=mock.run, args=(time.monotonic() + 1.5,))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join()
        for conn in list(mock.connections.values()):
            conn.sock.close()
        mock.epoll.close()
        listener.close()


def test_a_stream_has_64_content_chunks_a_finish_a_usage_and_done() -> None:
    for utf8 in (False, True):
        for replies in build(utf8=utf8):
            head, _, _ = replies.burst.partition(b"\r\n\r\n")
            assert b"Transfer-Encoding: chunked" in head
            assert len(replies.paced) == EVENTS_PER_STREAM
            assert b"".join(replies.paced) == replies.burst
            events = [f.split(b"data: ")[1].split(b"\n")[0] for f in replies.paced]
            chunks = [json.loads(event) for event in events[:-1]]
            assert all(chunk["choices"][0]["delta"]["content"] for chunk in chunks[:64])
            assert chunks[64]["choices"][0]["finish_reason"] == "stop"
            assert chunks[65]["choices"] == []
            assert chunks[65]["usage"]["completion_tokens"] == 64
            assert events[66] == b"[DONE]"


def test_the_variants_differ() -> None:
    assert len({replies.plain for replies in build()}) == 16


def test_the_mock_answers_every_kind_also_split_and_pipelined() -> None:
    with mock_in_thread() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for kind in KINDS:
            call = post(kind, gateway=False)
            connection.request("POST", call.path, call.body)
            body = connection.getresponse().read()
            assert body.endswith(b"}" if kind == "plain" else b"data: [DONE]\n\n")
            assert body.count(b"data: ") == (0 if kind == "plain" else EVENTS_PER_STREAM)
        connection.request("GET", "/stats")
        stats = json.loads(connection.getresponse().read())
        connection.close()
        assert stats == {"requests": 5, "events_paced": EVENTS_PER_STREAM}

        wanted = post("plain", gateway=False).encoded("mock")
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(wanted[:40])
            time.sleep(0.01)
            sock.sendall(wanted[40:] + wanted)
            got = b""
            while got.count(b"HTTP/1.1 200") < 2:
                got += sock.recv(65536)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 400")


def test_a_stream_is_written_as_its_path_says() -> None:
    assert {"plain": "", "chunks": "", "burst": "/burst", "paced": "/paced"} == {
        kind: prefix(kind) for kind in KINDS
    }
    for kind, writes in (("chunks", EVENTS_PER_STREAM), ("burst", 1)):
        sent: list[bytes] = []
        mock = Mock.__new__(Mock)
        mock._ascii = mock._utf8 = itertools.cycle(build(variants=1))
        mock._send = lambda conn, data, sent=sent: sent.append(data)
        request = post(kind, gateway=False).encoded("mock")
        mock._reply(None, request, request.find(b"\r\n\r\n"), len(request))
        assert writes == len(sent)
        assert b"".join(sent) == build(variants=1)[0].burst


def test_a_post_is_600_bytes_with_ten_headers() -> None:
    for kind in KINDS:
        call = post(kind, gateway=True)
        head, _, body = call.encoded("x:1").partition(b"\r\n\r\n")
        assert len(body) == BODY_BYTES
        assert head.count(b"\r\n") == 10
        assert json.loads(body).get("stream", False) is (kind != "plain")
        assert f"[==[{body.decode()}]==]" in lua(Target("hedgerow", 1, 1), kind)


def test_the_gateways_configuration_has_a_model_per_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "HEDGEROW", tmp_path)
    servers.hedgerow_command(7001, 7000, tmp_path, UNPINNED)
    config = tomllib.loads((tmp_path / "hedgerow.toml").read_text())

    assert [f"bench/{kind}" for kind in KINDS] == [model["id"] for model in config["models"]]
    for model in config["models"]:
        assert model["endpoints"][0]["provider"] in config["providers"]


def test_a_missing_gateway_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "HEDGEROW", tmp_path / "nothing")
    with pytest.raises(servers.BenchError, match="make install"):
        servers.hedgerow_command(1, 2, tmp_path, UNPINNED)


def test_a_proxy_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    with (
        servers.spawned("x", ["sh", "-c", "echo no such key; exit 3"], tmp_path) as child,
        pytest.raises(servers.BenchError, match=r"code 3:\n  \| no such key"),
    ):
        servers.wait_for("x", child, servers.free_port(), "/", tmp_path)


def test_arrivals_are_repeatable_and_have_the_rate_asked_for() -> None:
    times = ttfb.arrivals(1000, 2.0, seed=1)

    assert times == ttfb.arrivals(1000, 2.0, seed=1)
    assert times == sorted(times)
    assert 1800 < len(times) < 2200


def test_the_first_byte_client_counts_what_the_mock_answers() -> None:
    with mock_in_thread() as port:
        call = post("burst", gateway=False).encoded("mock").decode()
        seen = ttfb.drive(ttfb.Plan(port, call, rate=200, seconds=0.5, seed=1))

    assert 40 < seen.counted <= seen.sent <= 200
    assert 0 < seen.p50_us <= seen.p99_us


def test_a_percentile_is_a_value_of_the_list() -> None:
    assert ttfb.percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert ttfb.percentile([1.0], 0.99) == 1.0
    assert ttfb.percentile([], 0.5) == 0.0


def test_equal_rates_need_the_saturated_ones() -> None:
    assert ["plain", "chunks", "burst"] == list(rounds._kinds(("rate",)))
    assert ["chunks", "burst"] == list(rounds._kinds(("stream",)))
    assert [] == list(rounds._kinds(("coldstart",)))


def test_quick_is_one_round_and_options_win() -> None:
    assert arguments(["--quick"]).rounds == 1
    assert arguments(["--quick", "--rounds", "2"]).rounds == 2
    assert arguments(["--only", "rate", "--only", "paced"]).parts == ("rate", "paced")


def test_proc_knows_this_process() -> None:
    me = __import__("os").getpid()

    assert tree(me)[0] == me
    assert cpu_s(me) > 0
    assert rss_kib(me) > 1000
    assert tree(2**22 + 1) == []
