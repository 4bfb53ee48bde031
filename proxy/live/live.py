"""The present in one place: what stages tell, and the snapshot that planning reads."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proxy.config.settings import Settings
from proxy.live.arms import Arms
from proxy.live.board import Board
from proxy.live.consent import Consent
from proxy.live.health import Health
from proxy.live.hedges import Hedges
from proxy.live.retries import RetryBudget
from proxy.live.sticky import StickyRoutes
from proxy.model.call import Call
from proxy.model.observation import Observation
from proxy.model.plan import Plan
from proxy.model.standing import Snapshot
from proxy.units import Seconds


@dataclass(frozen=True, slots=True)
class Live:
    """Services that know the present; one writer, the gateway's own thread."""

    board: Board
    health: Health
    retries: RetryBudget
    hedges: Hedges
    sticky: StickyRoutes
    arms: Arms
    clock: Callable[[], Seconds]
    snapshot: Snapshot
    """Views of the above, always current."""

    def observe(self, observation: Observation) -> None:
        """One attempt is over, well or badly."""
        self.board.record(observation)
        self.health.heard(observation)
        if observation.fault == "none":
            self.hedges.succeeded(observation.endpoint.provider.id)

    def consent(self, call: Call, plan: Plan) -> Consent | None:
        """Who is asked for the hedge of a call; None: it has none."""
        if plan.hedge_after_s == math.inf and plan.at_once == 1:
            return None
        return Consent(call, plan, self.hedges, self.clock)

    def affordable(self) -> bool:
        """Whether the retry budget allows one attempt more; if so, it is counted."""
        return self.retries.withdraw(self.clock())


def build_live(
    settings: Settings, siblings: Mapping[str, int], clock: Callable[[], Seconds]
) -> Live:
    """Everything fresh.

    Args:
        siblings: number of endpoints by model id.
    """
    board, health = Board(), Health(settings.health, siblings)
    snapshot = Snapshot(board.standings, health.troubled, health.resting)
    retries = RetryBudget(settings.retries)
    hedges = Hedges(
        settings.hedging, clock, snapshot=snapshot, siblings=siblings, withdraw=retries.withdraw
    )
    arms = Arms(
        f"{name}/{arm.model}" for name, one in settings.experiments.items() for arm in one.arms
    )
    return Live(board, health, retries, hedges, StickyRoutes(), arms, clock, snapshot)
