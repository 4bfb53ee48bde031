"""Idle streams: the mock lets them be, and whoever does not answer them as it should is named."""

import os
import resource
import socket
from pathlib import Path

import pytest

from bench import idle, memory
from bench.machine import Pinning
from bench.peers.hedgerow import HEDGEROW
from bench.peers.peer import BenchError
from bench.posts import BODY_BYTES
from bench.servers import Target
from tests.bench.mocks import failure, one_wrong, serving


def test_an_idle_stream_has_one_event_and_waits() -> None:
    with serving() as target:
        request = idle.stream_request(target)
        with socket.create_connection(("127.0.0.1", target.port), timeout=0.2) as sock:
            sock.sendall(request)
            assert 1 == sock.recv(65_536).count(idle.CHUNK)
            with pytest.raises(TimeoutError):
                sock.recv(1)

    assert BODY_BYTES == len(request.partition(b"\r\n\r\n")[2])


def test_a_refusal_is_quoted() -> None:
    with (
        serving(one_wrong(failure, 5)) as target,
        pytest.raises(BenchError, match="direct said b'HTTP/1.1 500 Oops"),
        idle.opened(target, idle.stream_request(target), 5, wanted=idle.CHUNK),
    ):
        pass


def test_silence_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "ANSWER_S_MAX", 0.1)
    with (
        serving() as target,
        pytest.raises(BenchError, match="direct did not begin to answer within"),
        idle.opened(target, b"POST /v1 HTTP/1.1\r\n", 1, wanted=idle.CHUNK),
    ):
        pass


def test_memory_is_shared_out_over_what_was_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "SETTLE_S", 0.0)
    with serving() as mock:
        here = Target(mock.name, mock.port, os.getpid(), mock.peer, mock.port)
        each = idle.kib_each([here], idle.stream_request(here), 100, wanted=idle.CHUNK)

    assert -50 < each < 200


def test_hedgerow_is_told_to_be_patient(tmp_path: Path) -> None:
    with serving() as mock, idle.patient(HEDGEROW, mock.port, tmp_path, Pinning(None, None)) as up:
        with idle.opened(up, idle.stream_request(up), 3, wanted=idle.CHUNK):
            pass

    assert "idle_connection_s = 600" in (tmp_path / "hedgerow.toml").read_text()


def test_as_many_gateways_share_the_streams_as_descriptors_ask_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 20_000))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)

    assert [1, 1, 2] == [memory._processes(streams) for streams in (2_000, 9_900, 10_000)]
    with pytest.raises(BenchError, match="30,000 streams need more than the 20,000 descriptors"):
        memory._processes(30_000)
