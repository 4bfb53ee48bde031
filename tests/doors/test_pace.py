"""A body may be slow for a while, and then not."""

import pytest

from proxy.config.settings import LimitSettings
from proxy.doors.pace import BodyPace
from proxy.units import Seconds


@pytest.mark.parametrize(
    ("elapsed", "size", "left"),
    [
        (0, 0, 10),  # as slowly as it likes
        (9, 0, 1),
        (9, 4096, 5),  # 1 KiB per second
        (5, 1 << 20, 7),  # and some of it every so often
        (10, 1 << 20, 7),
        (25.5, 1 << 20, 0.5),  # and the whole of it some day
    ],
)
def test_a_body_must_keep_up_a_pace(elapsed: float, size: int, left: float) -> None:
    limits = LimitSettings(reader_s=7.0) if size > 4096 else LimitSettings()
    now = Seconds(100.0)
    pace = BodyPace(now, 1 << 20, limits)

    assert pytest.approx(left) == pace.deadline(Seconds(now + elapsed), size) - now - elapsed
