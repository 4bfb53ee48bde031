"""Defaults, and deadlines laid over each other."""

import msgspec
import pytest

from proxy.config.settings import Settings, TimeoutSettings
from proxy.model.endpoint import Timeouts
from proxy.units import Seconds


def test_an_empty_file_listens_on_loopback_with_the_builtin_catalogue() -> None:
    settings = Settings()

    assert settings.server.bind == ("127.0.0.1:8080",)
    assert settings.auth.mode is None
    assert settings.catalog == "builtin"


def test_what_is_said_wins_and_the_rest_comes_from_above() -> None:
    above = Timeouts(connect_s=Seconds(1), idle_s=Seconds(2))

    over = TimeoutSettings(idle_s=3.0, total_s=4.0).over(above)

    assert over == Timeouts(connect_s=Seconds(1), idle_s=Seconds(3), total_s=Seconds(4))


def test_nothing_can_be_changed_later() -> None:
    with pytest.raises(AttributeError):
        Settings().server.data = "/"  # type: ignore[misc]


def test_every_limit_is_positive_and_named_with_its_unit() -> None:
    limits = msgspec.structs.asdict(Settings().limits)

    assert all(value is None or value > 0 for value in limits.values())
    assert all(name.endswith(("_max", "_min", "_s")) for name in limits)
