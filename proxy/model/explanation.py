"""Why a plan is as it is: every endpoint of the models asked for, in or out, with the reason."""

from typing import Literal

import msgspec

State = Literal["healthy", "troubled", "resting"]


class Candidate(msgspec.Struct, frozen=True):
    """One endpoint."""

    endpoint: str
    """Its id."""
    model: str
    provider: str
    """As shown: "DeepInfra"."""
    tag: str
    place: int | None
    """1: is asked first; None: may not be asked."""
    selected: bool
    """It is one of the plan's offers."""
    out: list[str]
    """Why it may not be asked."""
    why: str
    """What its place is by."""
    prompt_usd_per_million: str
    completion_usd_per_million: str
    ttft_p50: float | None
    """Seconds."""
    throughput_p50: float | None
    """Tokens per second."""
    state: State


class Explanation(msgspec.Struct, frozen=True):
    """One plan."""

    requested: str
    """The model as the client named it."""
    strategy: str
    """direct | fallback | free | alias | split"""
    summary: str
    notes: list[str]
    """What was asked for and has no effect here."""
    candidates: list[Candidate]
