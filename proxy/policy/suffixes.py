"""What stands behind a model's name: ":nitro" and its like.

A catalogue suffix names an entry of its own; a sorting suffix says how to route. They combine in any
order; of several sorting ones the last wins. What is no known suffix belongs to the name.
"""

from typing import Literal, TypeAlias, cast

import msgspec

from proxy.errors import InvalidRequestError

Sorting: TypeAlias = Literal["nitro", "floor", "exacto"]

SORTING = frozenset(("nitro", "floor", "exacto"))
CATALOGUE = frozenset(("free", "batch", "thinking", "extended"))
IGNORED = frozenset(("beta",))
"""Withdrawn by OpenRouter; old clients still send it."""


class Asked(msgspec.Struct, frozen=True):
    """A name, taken apart."""

    base: str
    variant: str = ""
    """Catalogue suffix; the entry is called "base:variant"."""
    sorting: Sorting | None = None
    ignored: tuple[str, ...] = ()
    """Suffixes without effect."""

    @property
    def name(self) -> str:
        """What the catalogue is asked for."""
        return f"{self.base}:{self.variant}" if self.variant else self.base


def take_apart(name: str) -> Asked:
    """Separate a model's name from its suffixes. Raises: InvalidRequestError."""
    base, variant = name, ""
    sorting: Sorting | None = None
    ignored: list[str] = []
    while ":" in base:
        rest, _, word = base.rpartition(":")
        if word in SORTING:
            sorting = sorting or cast("Sorting", word)
        elif word in CATALOGUE:
            if variant and variant != word:
                raise InvalidRequestError(
                    f"{name}: a model has one variant, :{word} or :{variant} - at `$.model`",
                    metadata={"field": "model"},
                )
            variant = word
        elif word in IGNORED:
            ignored.append(word)
        elif word == "online":
            raise InvalidRequestError(
                f"{name}: this gateway has no web search yet - at `$.model`",
                metadata={"field": "model"},
            )
        else:
            break
        base = rest
    return Asked(base, variant, sorting, tuple(ignored))
