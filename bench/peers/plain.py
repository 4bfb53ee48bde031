"""What one would write oneself: an ASGI app on hypercorn that asks with httpx."""

import sys

from typing_extensions import override

from bench.machine import ROOT
from bench.peers.peer import Peer, Site, Start
from bench.posts import PASSED


class Plain(Peer):
    """`bench.plain`, of this repository."""

    @override
    def version(self) -> str:
        return "of this repository"

    @override
    def start(self, site: Site) -> Start:
        command = [sys.executable, "-m", "bench.plain", str(site.upstream), str(site.port)]
        return Start(command, ready="/healthz/ready", cwd=ROOT)


PLAIN = Plain(
    name="plain",
    title="hypercorn + httpx",
    about="A plain proxy as one would write it in an afternoon, on hypercorn and httpx; it passes bodies "
    "on untouched.",
    kinds=PASSED,
)
