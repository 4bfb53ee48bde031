"""Which layer of the house a function lives in, and the layer's colour in the picture."""

from bench.profile.calls import KERNEL
from bench.profile.sampling import Frame

LAYERS = (
    ("doors", ("proxy/doors/",), "#8fc1f0"),
    ("stages", ("proxy/stages/", "proxy/exchange.py", "proxy/gateway.py"), "#f2b872"),
    ("policy", ("proxy/policy/", "proxy/catalog/"), "#e9d568"),
    ("live", ("proxy/live/",), "#a9d99a"),
    ("wire, dialects", ("proxy/wire/", "proxy/dialects/", "proxy/model/"), "#d3b3ef"),
    ("net", ("proxy/net/",), "#86d5cf"),
    ("ledger, observe", ("proxy/ledger/", "proxy/observe/"), "#f0a8c4"),
    ("trio", ("trio/", "outcome/", "sortedcontainers/"), "#c3cad3"),
    ("system calls", (KERNEL,), "#f28b82"),
)
"""Name, where its files are, colour: words in black are read on all of them."""
REST = ("libraries", "#dcdcdc")
"""All others: the standard library, generated code, what else of the gateway runs."""


def colour_of(frame: Frame) -> str:
    """The colour of the layer that a function is in."""
    found = (colour for _, files, colour in LAYERS if frame.file.startswith(files))
    return next(found, REST[1])


def legend() -> list[tuple[str, str]]:
    """(colour, name) of every layer."""
    return [*((colour, name) for name, _, colour in LAYERS), (REST[1], REST[0])]
