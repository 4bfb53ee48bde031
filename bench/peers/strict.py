"""Hedgerow with h11 on both sides: the parser for those who trust no C."""

from bench.peers.hedgerow import Hedgerow
from bench.posts import KINDS


class Strict(Hedgerow):
    """The same program, another parser."""

    parser = "strict"


STRICT = Strict(
    name="strict",
    title="Hedgerow, strict",
    about="`hedgerow sidecar` with the strict parser of HTTP on both sides; all else as Hedgerow.",
    kinds=frozenset(KINDS),
)
