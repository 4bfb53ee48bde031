"""How fast a client must send; the same at every door."""

from proxy.config.settings import LimitSettings
from proxy.units import Seconds

BODY_RATE = 65_536
"""Bytes per second at which the largest body may come in all; 32 MiB in 522 s."""


class BodyPace:
    """How long a client may take for its body; pure."""

    def __init__(self, now: Seconds, bytes_max: int, limits: LimitSettings) -> None:
        self._limits = limits
        self._begun = now
        self._latest = now + limits.body_grace_s + bytes_max / BODY_RATE
        """The whole body must be here by then, however it came."""

    def deadline(self, now: Seconds, size: int) -> float:
        """When more must have come, after `size` bytes have."""
        limits = self._limits
        slowest = self._begun + limits.body_grace_s + size / limits.body_rate_min
        return min(slowest, now + limits.reader_s, self._latest)
