"""Portkey's open gateway, on Node; each request tells it where the provider is."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from typing_extensions import override

from bench.peers.installs import Command, Install
from bench.peers.peer import HOST, INSTALLED, Peer, Say, Site, Start
from bench.posts import KINDS, MODEL, TRANSLATED, Kind, Post, post, prefix

VERSION, SERVER_VERSION = "1.15.2", "1.13.8"
"""Of the gateway; of the server below it, whose newer versions break every stream."""
INSTALL = Install(INSTALLED / "portkey", f"Portkey {VERSION}", "about 25 MB")
NODE_MIN = 18
"""Major version; what `fetch` and its server need."""
NODE_HINT = "(Debian: apt-get install nodejs npm)"
_PACKAGE = {
    "name": "bench-portkey",
    "private": True,
    "dependencies": {"@portkey-ai/gateway": VERSION},
    "overrides": {"@hono/node-server": SERVER_VERSION},
}
_LOOPBACK = """\
const { Server } = require("node:net");
const listen = Server.prototype.listen;
Server.prototype.listen = function (port, host, ...more) {
  return listen.call(this, port, "127.0.0.1", ...more);
};
"""
"""It would listen on all addresses, and send anybody's request anywhere: not on our account."""


class Portkey(Peer):
    """One process, one thread that runs JavaScript."""

    @override
    def missing(self) -> str:
        if not shutil.which("node"):
            return f"Node is not installed {NODE_HINT}"
        if node_major() < NODE_MIN:
            return f"Node {node_version()} is too old: {NODE_MIN} or newer is needed {NODE_HINT}"
        if not self.installed() and not shutil.which("npm"):
            return f"npm is not installed {NODE_HINT}"
        return ""

    @override
    def installed(self) -> bool:
        return INSTALL.done()

    @override
    def install(self, say: Say) -> None:
        INSTALL.carry_out(_by_npm, say)

    @override
    def version(self) -> str:
        return f"{VERSION} on Node {node_version()}"

    @override
    def start(self, site: Site) -> Start:
        preload = site.folder / "loopback.cjs"
        preload.write_text(_LOOPBACK)
        server = INSTALL.folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
        return Start(
            ["node", "--require", str(preload), str(server), f"--port={site.port}", "--headless"],
            ready="/",
            environment={"NODE_ENV": "production"},
        )

    @override
    def post(self, kind: Kind, upstream: int) -> Post:
        headers = {
            "x-portkey-provider": "anthropic" if kind in TRANSLATED else "openai",
            "x-portkey-custom-host": f"http://{HOST}:{upstream}{prefix(kind)}/v1",
        }
        return post(kind, path="/v1/chat/completions", model=MODEL, headers=headers)


def node_version() -> str:
    """Such as `20.19.2`; empty: there is none, or it does not say."""
    try:
        done = subprocess.run(
            ["node", "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().removeprefix("v")


def node_major() -> int:
    """0: unknown."""
    found = re.match(r"\d+", node_version())
    return int(found[0]) if found else 0


def _by_npm(folder: Path) -> list[Command]:
    (folder / "package.json").write_text(json.dumps(_PACKAGE))
    quiet = ("--no-audit", "--no-fund", "--loglevel", "error")
    return [("npm", "install", "--omit=dev", "--ignore-scripts", *quiet)]


PORTKEY = Portkey(
    name="portkey",
    title="Portkey",
    about="Its open gateway on Node: one process, NODE_ENV=production, no console, no cache, no retries; each "
    "request names the provider in two headers of its own; bodies of the same dialect are passed on "
    "untouched.",
    kinds=frozenset(KINDS),
)
