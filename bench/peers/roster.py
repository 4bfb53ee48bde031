"""Everything that can be measured, by name, and whether it can be here."""

from bench.peers.direct import DIRECT
from bench.peers.envoy import ENVOY
from bench.peers.hedgerow import HEDGEROW
from bench.peers.litellm import LITELLM
from bench.peers.nginx import NGINX
from bench.peers.peer import BenchError, Peer, Say
from bench.peers.plain import PLAIN
from bench.peers.portkey import PORTKEY
from bench.peers.strict import STRICT
from bench.peers.tensorzero import TENSORZERO

PEERS: dict[str, Peer] = {
    peer.name: peer for peer in (DIRECT, NGINX, ENVOY, TENSORZERO, PORTKEY, LITELLM, HEDGEROW)
}
"""The main table, in its order."""
OTHERS: dict[str, Peer] = {peer.name: peer for peer in (STRICT, PLAIN)}
"""Those of `bench.strict`."""


def usable(peer: Peer, say: Say, *, install: bool = True) -> str:
    """Make sure that `peer` can be started; the reason in words if it cannot, else empty.

    Args:
        install: bring what is missing; else use only what is there.
    """
    if why := peer.missing():
        return why
    if not peer.installed() and not install:
        return "it is not installed, and nothing was to be installed"
    try:
        peer.install(say)
    except BenchError as error:
        return str(error)
    return ""
