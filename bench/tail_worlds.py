"""The made-up worlds of `bench.tail`: how long three providers take to their first token, and when.

Rule 1: what a provider does depends on its world, how much of the run is over, and draws; never on who
asks, nor on what the gateway does. Rule 2: times are seconds of the world; a run over sockets has them
shortened by its scale, and its results lengthened again.
"""

import math
import random
from typing import NamedTuple

PROVIDERS = ("alder", "birch", "cedar")
"""Three of one price, so that each is asked first by a third of the requests."""
REST_S = 4.0
"""First token -> last one."""
PIECES = 4
"""Events with content in a reply, over a socket."""
PIECE_TOKENS = 12
"""Of text in one of them; the usage at the end of a reply says more, as if it had been longer."""
PROMPT_TOKENS, COMPLETION_TOKENS = 1_000, 500
PROMPT_USD, COMPLETION_USD = "1.00", "4.00"
"""Per million tokens: the prompt costs half of what the reply costs."""
MEDIAN_S, SPREAD = 0.6, 0.45
STALLS, STALL_S, STALL_SHAPE, STALL_S_MAX = 0.03, 3.0, 1.3, 60.0
"""Share of the requests that stall, and the Pareto distribution of how long."""


class World(NamedTuple):
    """How providers behave."""

    name: str
    title: str
    bimodal: bool = False
    """95 % around 0.4 s and 5 % around 4 s; otherwise log-normal with stalls."""
    slower: float = 1.0
    """From `since` to `until` times are so many times as long."""
    since: float = 0.0
    """Shares of the run."""
    until: float = 0.0
    whom: tuple[str, ...] = PROVIDERS
    """Who is slower then."""

    def factor(self, provider: str, share: float) -> float:
        """How many times as long `provider` takes when so much of the run is over."""
        return self.slower if self.since <= share < self.until and provider in self.whom else 1.0

    def first_token_s(self, provider: str, share: float, draw: random.Random) -> float:
        """Request received -> first token sent."""
        if self.bimodal:
            median_s = 4.0 if draw.random() < 0.05 else 0.4
            taken_s = median_s * draw.lognormvariate(0.0, 0.15)
        else:
            taken_s = MEDIAN_S * draw.lognormvariate(0.0, SPREAD)
            if draw.random() < STALLS:
                taken_s += min(STALL_S * draw.paretovariate(STALL_SHAPE), STALL_S_MAX)
        return taken_s * self.factor(provider, share)


WORLDS = {
    world.name: world
    for world in (
        World("stalls", "3 % of the requests stall"),
        World("bimodal", "Every twentieth takes ten times as long", bimodal=True),
        World(
            "sick", "One of three is six times slower from the middle on",
            slower=6.0, since=0.5, until=math.inf, whom=("birch",),
        ),
        World(
            "slowdown", "All are four times slower for a tenth of the time",
            slower=4.0, since=0.45, until=0.55,
        ),
    )
}  # fmt: skip
