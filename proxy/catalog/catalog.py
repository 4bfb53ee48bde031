"""What can be served, and how a client's name for a model is understood.

A name is, in this order: a model's id; an alias; the part of an id behind the slash; a provider's
own name for a model; one of these two but for a date at its end, or dashes where we have dots. The last
three only where one model answers to it.

Rule 1: a catalogue never changes; a new file or key makes a new one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from typing_extensions import override

from proxy.errors import UnknownModelError
from proxy.model.endpoint import Model, Provider

NAME_SHOWN_MAX = 200
"""Characters of an unknown name that an error repeats."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A known model, served or not."""

    model: Model
    """Without endpoints where nothing serves it."""
    needs: tuple[str, ...]
    """Environment variables of which any one makes a real provider serve it; empty: one does."""


class Catalog:
    """Models and providers of this gateway, with lookup by name."""

    def __init__(
        self,
        *,
        models: Iterable[Model],
        providers: Iterable[Provider],
        aliases: Mapping[str, str],
        listings: Iterable[Listing] = (),
        sandboxed: bool = False,
    ) -> None:
        self.models: Mapping[str, Model] = MappingProxyType(
            {model.id: model for model in sorted(models, key=lambda model: model.id)}
        )
        """Served models by id, in order of id."""
        self.providers: Mapping[str, Provider] = MappingProxyType(
            {one.id: one for one in sorted(providers, key=lambda one: one.id)}
        )
        """Live providers by id, in order of id."""
        self.all_models: tuple[Listing, ...] = tuple(
            sorted(listings, key=lambda listing: listing.model.id)
        )
        """Served or not, in order of id."""
        self.sandboxed = sandboxed
        """Whether the sandbox stands in for every model, as no provider is live."""
        self._aliases = {
            name: self.models[id_] for name, id_ in aliases.items() if id_ in self.models
        }
        self._slugs = _by_name((_slug(model.id), model) for model in self.models.values())
        self._upstream_names = _by_name(
            (endpoint.upstream_model, model)
            for model in self.models.values()
            for endpoint in model.endpoints
        )

        self._loose = _by_name(
            (_loosened(name), model)
            for model in self.models.values()
            for name in {model.id, _slug(model.id), *(e.upstream_model for e in model.endpoints)}
        )

    @override
    def __repr__(self) -> str:
        return f"<Catalog: {len(self.models)} models at {len(self.providers)} providers>"

    def resolve(self, name: str) -> Model:
        """Find the served model a client means.

        Raises: UnknownModelError (400), naming the candidates where there are several.
        """
        model = self.models.get(name) or self._aliases.get(name)
        if model is not None:
            return model
        candidates = (
            self._slugs.get(name)
            or self._upstream_names.get(name)
            or self._loose.get(_loosened(name))
            or ()
        )
        if len(candidates) == 1:
            return candidates[0]
        shown = name if len(name) <= NAME_SHOWN_MAX else name[:NAME_SHOWN_MAX] + "…"
        if not candidates:
            raise UnknownModelError(f"{shown} is not a valid model ID")
        ids = ", ".join(candidate.id for candidate in candidates)
        raise UnknownModelError(f"{shown} is not a valid model ID: it could be any of {ids}")


def _loosened(name: str) -> str:
    """As vendors and their clients vary it: "x-4.5" and "x-4-5-20250929" are one."""
    return DATE.sub("", name).replace(".", "-")


DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$")


def _slug(model_id: str) -> str:
    return model_id.partition("/")[2]


def _by_name(pairs: Iterable[tuple[str, Model]]) -> dict[str, tuple[Model, ...]]:
    """Models by a name they may share; each once, in the order given."""
    found: dict[str, tuple[Model, ...]] = {}
    for name, model in pairs:
        have = found.get(name, ())
        if model not in have:
            found[name] = (*have, model)
    return found
