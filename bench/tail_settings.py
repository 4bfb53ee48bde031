"""What the gateway of `bench.tail` is told: its settings file, and what clients ask for.

Rule 1: `[hedging]` is what the gateway comes with, but for what a mode changes; where time is scaled,
its times are scaled alike. Rule 2: one text for sockets and for virtual time.
"""

import json
from typing import NamedTuple

from bench.tail_worlds import COMPLETION_USD, PROMPT_USD, PROVIDERS
from proxy.config.settings import HedgingSettings
from proxy.model.document import Document

MODEL = "tail/plant-1"
FIRST_TOKEN_S, TOTAL_S = 400, 600
"""No time-out ends what a world lets wait: what is seen is what hedging does."""
TIMES = ("floor_s", "cap_s", "cap_reasoning_s", "default_s")
OUTPUT_TOKENS_MAX = 1_000


class Mode(NamedTuple):
    """What is compared."""

    name: str
    title: str
    hedging: tuple[tuple[str, bool | float], ...] = ()
    """Changes to `[hedging]`."""
    wanted: tuple[tuple[str, Document | bool], ...] = ()
    """The `provider` object of every request."""

    @property
    def preferences(self) -> Document:
        """The `provider` object."""
        return dict(self.wanted)


MODES = {
    mode.name: mode
    for mode in (
        Mode("none", "no hedging", (("enabled", False),)),
        Mode("hedged", "hedging"),
        Mode("race", "race of two", wanted=(("race", {"n": 2}),)),
        Mode(
            "unbounded", "hedging without bounds",
            (
                ("budget_share", 0.5), ("budget_burst", 1_000), ("budget_per_s", 1_000),
                ("cost_share_max", 1.0), ("late_share_max", 1.0),
            ),
        ),
    )
}  # fmt: skip
"""The last one shows that the checks can fail."""

_HEAD = """\
catalog = "none"
[server]
bind = ["127.0.0.1:{port}"]
data = ""
[auth]
mode = "open"
[timeouts]
first_token = {first_token}
total = {total}
[limits]
connections_max = 20000
upstream_connections_max = 20000
[hedging]
"""
_PROVIDER = """
[providers.{name}]
dialect = "openai-chat"
base_url = "http://127.0.0.1:{port}/{name}/v1"
"""
_MODEL = """
[[models]]
id = "{id}"
context_length = 128000
"""
_ENDPOINT = """
[[models.endpoints]]
provider = "{name}"
upstream_model = "plant-1"
prices = {{ prompt = "{prompt}", completion = "{completion}" }}
"""


def settings_text(mode: Mode, *, scale: float = 1.0, port: int = 8080, upstream: int = 1) -> str:
    """A settings file.

    Args:
        scale: seconds of the run per second of the world.
        port: of the gateway.
        upstream: where all three providers listen.
    """
    defaults = HedgingSettings()
    changes: dict[str, bool | float] = {name: getattr(defaults, name) * scale for name in TIMES}
    changes |= dict(mode.hedging)
    text = _HEAD.format(port=port, first_token=FIRST_TOKEN_S, total=TOTAL_S)
    text += "".join(f"{name} = {json.dumps(value)}\n" for name, value in changes.items())
    text += "".join(_PROVIDER.format(name=name, port=upstream) for name in PROVIDERS)
    text += _MODEL.format(id=MODEL)
    return text + "".join(
        _ENDPOINT.format(name=name, prompt=PROMPT_USD, completion=COMPLETION_USD)
        for name in PROVIDERS
    )
