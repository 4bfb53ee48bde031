"""Results of experiments, arm by arm, and which generation belongs to which, for feedback.

Rule 1: arms of the settings are there from the start and always have their place; of those that requests
bring along, the first ARMS_MAX have, the rest counts as one arm, `other/other`.
Rule 2: a generation is remembered while it is one of the last GENERATIONS_MAX of all experiments.
Rule 3: of a generation the last score counts, and each category once. What a comment says is not kept.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

import msgspec

from proxy.live.arm import Arm, ArmResult
from proxy.model.observation import Observation

ARMS_MAX = 256
"""Besides those of the settings; 17 KiB each, once they have times to tell."""
GENERATIONS_MAX = 10_000
"""Some 4 MB."""
LABEL_CHARACTERS_MAX = 256
"""Of an arm's name; clients name the models of their own experiments."""
OTHER = "other/other"


class Kept(msgspec.Struct):
    """One generation of an experiment."""

    arm: Arm
    account: str
    """Who may judge it; empty: anybody."""
    score: float | None = None
    categories: tuple[str, ...] = ()


class Arms:
    """Latency, cost, errors and scores of each arm.

    Args:
        known: arms of the settings, as "experiment/arm".
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._arms = {label: _new(label) for label in known}
        self._room = ARMS_MAX
        self._generations: OrderedDict[str, Kept] = OrderedDict()

    def __iter__(self) -> Iterator[Arm]:
        """All arms, those of the settings first, then as they came."""
        return iter(self._arms.values())

    def finished(
        self, arm: str, generation_id: str, observation: Observation | None, *,
        account: str = "", left: bool = False,
    ) -> None:  # fmt: skip
        """A request of `arm` ("experiment/arm") is over.

        Args:
            observation: the attempt that answered; None: nobody did.
            account: the ledger's name for who asked; only who has it may judge the answer.
            left: where nobody answered: the client left before every attempt had failed.
        """
        one = self._arms.get(arm) or self._another(arm)
        one.finished(observation, left=left)
        self._generations[generation_id] = Kept(one, account)
        if len(self._generations) > GENERATIONS_MAX:
            self._generations.popitem(last=False)

    def feedback(
        self, generation_id: str, *, account: str = "", category: str | None = None,
        score: float | None = None, comment: bool = False,
    ) -> bool:  # fmt: skip
        """Take in what somebody thinks of an answer; False: no such generation, or not theirs.

        Args:
            score: 0..1.
            comment: something was said besides.
        """
        kept = self._generations.get(generation_id)
        if kept is None or kept.account not in {"", account}:
            return False
        if score is not None:
            kept.arm.scored(score, kept.score)
            kept.score = score
        if category is not None and category not in kept.categories:
            kept.arm.categories[category] += 1
            kept.categories += (category,)
        kept.arm.comments += comment
        return True

    def results(self) -> list[ArmResult]:
        """What is known of each arm now."""
        return [arm.result() for arm in self]

    def _another(self, label: str) -> Arm:
        if self._room == 0 or len(label) > LABEL_CHARACTERS_MAX:
            label = OTHER
        else:
            self._room -= 1
        return self._arms.setdefault(label, _new(label))


def _new(label: str) -> Arm:
    experiment, _, name = label.partition("/")
    return Arm(experiment, name)
