"""The mock itself: what everything costs without anybody between, and the base of what others add."""

from typing_extensions import override

from bench.peers.peer import BenchError, Peer, Site, Start, model
from bench.posts import KINDS, TRANSLATED, Kind, Post, messages_post


class Direct(Peer):
    """Started by `servers.mock`, not as a proxy."""

    @override
    def version(self) -> str:
        return "of this repository"

    @override
    def start(self, site: Site) -> Start:
        raise BenchError("the mock is no proxy: `servers.mock` starts it")

    @override
    def post(self, kind: Kind, upstream: int) -> Post:
        """Translated kinds are asked in the provider's dialect, so the answer is in it, too."""
        if kind in TRANSLATED:
            return messages_post(kind, path="/v1/messages", model=model(kind))
        return super().post(kind, upstream)


DIRECT = Direct(
    name="direct",
    title="direct",
    about="The mock provider itself, with nobody between: a request that is to be translated is sent to "
    "it in the provider's own dialect.",
    kinds=frozenset(KINDS),
)
