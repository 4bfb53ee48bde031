"""The event vocabulary is closed: an encoder that forgets one is found by the type checker."""

import dataclasses
from typing import get_args

from proxy.model.event import Event


def test_every_event_is_a_small_record() -> None:
    assert all(dataclasses.is_dataclass(kind) for kind in get_args(Event))
    assert 10 == len(get_args(Event))
