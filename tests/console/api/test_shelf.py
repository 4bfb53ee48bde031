"""The shelf: what is on it, and stable orders."""

import orjson

from proxy.console.api.presentation import present_model
from proxy.console.api.shelf import Filters, select, shelve
from proxy.model.endpoint import Model

Models = dict[str, Model]


def test_a_model_that_nothing_serves_is_not_on_the_shelf(models: Models) -> None:
    assert [*models][:-1] == [entry.model.id for entry in shelve(models.values())]


def test_an_entry_is_encoded_once(models: Models) -> None:
    shelf = shelve([models["north/big"]])

    assert orjson.loads(shelf[0].encoded) == present_model(models["north/big"])


def test_an_unknown_order_is_the_catalogue_s(models: Models) -> None:
    shelf = shelve(models.values())
    everything = Filters(outputs=frozenset())

    assert list(shelf) == select(shelf, everything, "no-such-order") == select(shelf, everything)
