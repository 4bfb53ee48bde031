"""What is asked of peers, how they are configured, and what is said of those that cannot run here."""

import json
import os
import platform
import sys
import tomllib
from pathlib import Path

import pytest

from bench import servers
from bench.load import check
from bench.machine import Pinning
from bench.peers import envoy, hedgerow, litellm, nginx, portkey, tensorzero
from bench.peers.installs import Install
from bench.peers.peer import HOST, BenchError, Peer, Site, Start, model
from bench.peers.roster import OTHERS, PEERS, usable
from bench.posts import BODY_BYTES, KINDS, LARGE_BYTES, PASSED, STREAMS, TRANSLATED, Kind

ALL = {**PEERS, **OTHERS}
UNPINNED = Pinning(None, None)
GATEWAYS = ("tensorzero", "portkey", "litellm", "hedgerow")
TOLD = """\
import http.server, os, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Ready)
with open("new", "w") as file:
    file.write(str(server.server_port))
os.replace("new", "port")
server.serve_forever()
"""


def site(folder: Path) -> Site:
    return Site(upstream=7001, port=7000, folder=folder, pins=UNPINNED)


def each_post() -> list[tuple[Peer, Kind]]:
    return [(peer, kind) for peer in ALL.values() for kind in KINDS if kind in peer.kinds]


def program(folder: Path, name: str, says: str) -> None:
    """A program of that name that says one thing."""
    file = folder / name
    file.write_text(f"#!/bin/sh\necho {says}\n")
    file.chmod(0o755)


def not_installed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(portkey, "INSTALL", Install(folder / "none", "Portkey", ""))


def test_the_table_has_the_mock_first_and_ourselves_last() -> None:
    names = ["direct", "nginx", "envoy", "tensorzero", "portkey", "litellm", "hedgerow"]

    assert names == list(PEERS)
    assert ["strict", "plain"] == list(OTHERS)
    assert all(name == peer.name for name, peer in ALL.items())


def test_gateways_translate_and_plain_proxies_do_not() -> None:
    for name, peer in ALL.items():
        assert (name not in {"nginx", "envoy", "plain"}) == (peer.kinds >= TRANSLATED)
        assert PASSED <= peer.kinds


@pytest.mark.parametrize(("peer", "kind"), each_post(), ids=lambda p: getattr(p, "name", p))
def test_a_post_has_its_size_and_ten_headers(peer: Peer, kind: Kind) -> None:
    call = peer.post(kind, 7001)
    head, _, body = call.encoded("x:1").partition(b"\r\n\r\n")
    asked = json.loads(body)
    of_its_own = set(call.headers) - set(hedgerow.HEDGEROW.post(kind, 7001).headers)

    assert (LARGE_BYTES if kind == "large" else BODY_BYTES) == len(body)
    assert 10 + len(of_its_own) == head.count(b"\r\n")
    assert (kind in STREAMS) is asked.get("stream", False)
    assert len(asked["messages"][-1]["content"]) > BODY_BYTES / 2
    assert b"]==]" not in body  # the load's script would end there


def test_only_two_ways_of_asking_need_headers_of_their_own() -> None:
    usual = set(hedgerow.HEDGEROW.post("plain", 7001).headers)
    more = {(p.name, k) for p, k in each_post() if set(p.post(k, 7001).headers) != usual}

    assert {("direct", kind) for kind in TRANSLATED} | {("portkey", k) for k in KINDS} == more


def test_the_path_picks_how_the_mock_writes() -> None:
    for peer in (PEERS["direct"], PEERS["nginx"], PEERS["envoy"], OTHERS["plain"]):
        paths = {kind: peer.post(kind, 1).path for kind in KINDS if kind in PASSED}
        assert {"/v1/chat/completions"} == {paths.pop(k) for k in ("plain", "large", "chunks")}
        assert {k: f"/{k}/v1/chat/completions" for k in ("burst", "paced")} == paths
    assert "/v1/messages" == PEERS["direct"].post("translate", 1).path


def test_portkey_is_told_in_the_request_where_the_provider_is() -> None:
    paced = PEERS["portkey"].post("paced", 7001).headers
    translated = PEERS["portkey"].post("translate", 7001).headers

    assert ("openai", f"http://{HOST}:7001/paced/v1") == (
        paced["x-portkey-provider"],
        paced["x-portkey-custom-host"],
    )
    assert "anthropic" == translated["x-portkey-provider"]


@pytest.mark.parametrize("name", ["hedgerow", "strict"])
def test_hedgerow_has_a_model_per_kind_and_a_provider_per_way(name: str, tmp_path: Path) -> None:
    start = ALL[name].start(site(tmp_path))
    config = tomllib.loads((tmp_path / "hedgerow.toml").read_text())
    dialects = {n: p["dialect"] for n, p in config["providers"].items()}
    served = {m["id"]: m["endpoints"][0]["provider"] for m in config["models"]}

    assert "sidecar" == start.argv[1]
    assert [model(kind) for kind in KINDS] == list(served)
    assert "mock" == served["bench/plain"] == served["bench/large"] == served["bench/chunks"]
    assert f"http://{HOST}:7001/burst/v1" == config["providers"]["burst"]["base_url"]
    assert "anthropic-messages" == dialects[served["bench/translate_stream"]]
    assert "openai-chat" == dialects[served["bench/paced"]]
    assert {"strict" if name == "strict" else "fast"} == {
        p["parser"] for p in (*config["providers"].values(), *config["server"]["bind"])
    }


def test_lines_may_be_put_before_hedgerows_settings(tmp_path: Path) -> None:
    hedgerow.HEDGEROW.start(site(tmp_path), more="limits.connections_max = 7\n")

    assert 7 == tomllib.loads((tmp_path / "hedgerow.toml").read_text())["limits"]["connections_max"]


def test_nginx_is_one_worker_that_keeps_connections_and_bodies_in_memory(tmp_path: Path) -> None:
    nginx.NGINX.start(site(tmp_path))
    config = (tmp_path / "nginx.conf").read_text()

    for line in (
        "worker_processes 1;",
        "access_log off;",
        "proxy_buffering off;",
        f"listen {HOST}:7000 backlog=1024;",
        f"server {HOST}:7001;",
        "keepalive 512;",
        "client_body_buffer_size 256k;",
    ):
        assert line in config


def test_envoy_is_one_worker_without_time_out_or_log(tmp_path: Path) -> None:
    start = envoy.ENVOY.start(site(tmp_path))
    config = json.loads((tmp_path / "envoy.json").read_text())["static_resources"]
    cluster, text = config["clusters"][0], json.dumps(config)

    assert "1" == start.argv[start.argv.index("--concurrency") + 1]
    assert 512 == cluster["circuit_breakers"]["thresholds"][0]["max_connections"]
    assert '"timeout": "0s"' in text
    assert "access_log" not in text
    assert 7000 == config["listeners"][0]["address"]["socket_address"]["port_value"]


def test_tensorzero_has_a_model_per_kind_and_no_observability(tmp_path: Path) -> None:
    start = tensorzero.TENSORZERO.start(site(tmp_path))
    config = tomllib.loads((tmp_path / "tensorzero.toml").read_text())

    assert "1" == start.environment["TOKIO_WORKER_THREADS"]
    assert tmp_path / "port" == start.told
    assert config["gateway"]["observability"]["enabled"] is False
    assert config["gateway"]["disable_pseudonymous_usage_analytics"] is True
    for kind in KINDS:
        name = tensorzero.TENSORZERO.post(kind, 7001)
        asked = json.loads(name.body)["model"].removeprefix("tensorzero::model_name::")
        provider = config["models"][asked]["providers"]["mock"]
        assert ("anthropic" if kind in TRANSLATED else "openai") == provider["type"]
        assert provider["api_base"].startswith(f"http://{HOST}:7001/")


def test_litellm_has_one_worker_and_a_model_per_kind(tmp_path: Path) -> None:
    start = litellm.LITELLM.start(site(tmp_path))
    models = json.loads((tmp_path / "litellm.yaml").read_text())["model_list"]
    of = {entry["model_name"]: entry["litellm_params"] for entry in models}

    assert "1" == start.argv[start.argv.index("--num_workers") + 1]
    assert HOST == start.argv[start.argv.index("--host") + 1]
    assert "PRODUCTION" == start.environment["LITELLM_MODE"]
    assert [model(kind) for kind in KINDS] == list(of)
    assert f"http://{HOST}:7001/paced/v1" == of["bench/paced"]["api_base"]
    assert ("anthropic/gpt-4o", f"http://{HOST}:7001") == (
        of["bench/translate"]["model"],
        of["bench/translate"]["api_base"],
    )


def test_nobody_listens_beyond_this_machine(tmp_path: Path) -> None:
    start = portkey.PORTKEY.start(site(tmp_path))

    assert "production" == start.environment["NODE_ENV"]
    assert ["node", "--require", str(tmp_path / "loopback.cjs")] == start.argv[:3]
    assert '"127.0.0.1"' in (tmp_path / "loopback.cjs").read_text()


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        (nginx.NGINX, "nginx is not installed (Debian: apt-get install nginx-light)"),
        (portkey.PORTKEY, "Node is not installed (Debian: apt-get install nodejs npm)"),
    ],
    ids=["nginx", "portkey"],
)
def test_a_missing_program_is_named_with_its_package(
    peer: Peer, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nginx, "PLACES", ())

    assert words == peer.missing() == usable(peer, print)


def test_nginx_is_found_where_a_users_path_does_not_lead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "nginx", "-")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(nginx, "PLACES", (str(tmp_path),))

    assert "" == nginx.NGINX.missing()
    assert str(tmp_path / "nginx") == nginx.NGINX.start(site(tmp_path)).argv[0]


def test_an_old_node_is_not_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "node", "v16.20.2")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert portkey.PORTKEY.missing().startswith("Node 16.20.2 is too old: 18 or newer is needed")


def test_npm_is_needed_until_all_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "node", "v20.1.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    not_installed(monkeypatch, tmp_path)

    assert "npm is not installed (Debian: apt-get install nodejs npm)" == portkey.PORTKEY.missing()
    portkey.INSTALL.folder.mkdir()
    (portkey.INSTALL.folder / ".installed").write_text(portkey.INSTALL.what)
    assert "" == portkey.PORTKEY.missing()


def test_a_machine_without_wheels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    for peer in (envoy.ENVOY, tensorzero.TENSORZERO):
        assert "there is no wheel for riscv64" == peer.missing()


def test_hedgerow_is_made_by_make_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hedgerow, "PROGRAM", tmp_path / "nothing")

    assert ".venv/bin/hedgerow is missing: run `make install`" == PEERS["hedgerow"].missing()


def test_a_failed_install_is_a_reason_and_not_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "node", "v20.1.0")
    program(tmp_path, "npm", "'npm error network: nobody there'; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    not_installed(monkeypatch, tmp_path)
    said: list[str] = []

    assert "its install failed: npm error network: nobody there" == usable(
        portkey.PORTKEY, said.append
    )
    assert 1 == len(said)
    assert not portkey.INSTALL.folder.exists()


def test_nothing_is_installed_when_nothing_is_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "node", "v20.1.0")
    program(tmp_path, "npm", "-")
    monkeypatch.setenv("PATH", str(tmp_path))
    not_installed(monkeypatch, tmp_path)
    said: list[str] = []

    why = usable(portkey.PORTKEY, said.append, install=False)

    assert "it is not installed, and nothing was to be installed" == why
    assert [] == said


def test_a_peer_may_pick_its_port_itself(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text(TOLD)
    start = Start([sys.executable, "told.py"], ready="/", told=tmp_path / "port")

    with servers.started(OTHERS["plain"], site(tmp_path), start) as target:
        assert int((tmp_path / "port").read_text()) == target.port != 7000
        assert Path(f"/proc/{target.pid}").exists()
    assert not Path(f"/proc/{target.pid}").exists()


def test_a_peer_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    start = Start(["sh", "-c", "echo no such key; exit 3"], ready="/")
    with (
        pytest.raises(BenchError, match=r"plain ended with code 3:\n  \| no such key"),
        servers.started(OTHERS["plain"], site(tmp_path), start),
    ):
        pass


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    start = Start([str(tmp_path / "nothing")], ready="/")
    with (
        pytest.raises(BenchError, match="plain cannot be started: .*nothing"),
        servers.started(OTHERS["plain"], site(tmp_path), start),
    ):
        pass


def answers(peer: Peer, folder: Path) -> None:
    """Start it, ask it everything it can do, and judge each reply."""
    if why := peer.missing() or ("" if peer.installed() else "it is not installed"):
        pytest.skip(f"{peer.name}: {why}")
    with servers.mock(UNPINNED) as mock, servers.proxy(peer, mock.port, folder, UNPINNED) as target:
        for kind in KINDS:
            if kind in peer.kinds:
                check(target, kind)


@pytest.mark.parametrize("name", ["nginx", "hedgerow", "plain", "strict"])
def test_a_reply_of_every_kind_is_right(name: str, tmp_path: Path) -> None:
    answers(ALL[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["envoy", "tensorzero", "portkey", "litellm"])
def test_a_reply_of_an_installed_peer_is_right(name: str, tmp_path: Path) -> None:
    answers(ALL[name], tmp_path)
