"""Hedgerow: one OpenAI-style API in front of many model providers.

Nothing is imported here before it is asked for: loading the event loop alone takes 100 ms, and
`hedgerow --help` must not.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.embed import Gateway, ThreadedGateway, start_in_thread
    from proxy.errors import ConfigError

__all__ = ["ConfigError", "Gateway", "ThreadedGateway", "__version__", "start_in_thread"]

__version__ = "0.1.0"

_HOMES = {
    "ConfigError": "proxy.errors",
    "Gateway": "proxy.embed",
    "ThreadedGateway": "proxy.embed",
    "start_in_thread": "proxy.embed",
}
"""Public name -> the module that has it."""


def __getattr__(name: str) -> object:
    """Load what is asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found  # the next look needs no call
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
