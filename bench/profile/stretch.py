"""A stretch of load on the gateway, and all the time its core spent on it, by the kernel's own count.

Over loopback the sender's core also delivers what is sent, up to the receiver's socket. The kernel
books that on the core (softirq) and not on the process, so the CPU time of a process lacks it; a
sampler sees it as part of `send`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from bench.load import Load, saturate
from bench.machine import Pinning
from bench.servers import Target

SOFTIRQ = 7
"""The field of a core's line. Source: proc(5), `/proc/stat`."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time per request, microseconds."""

    requests: int
    cpu_us: float
    """User and system time of the process."""
    delivery_us: float
    """Softirq time of its core; 0 where it has none of its own."""
    waited_us: float
    """Ready to run while its core ran others."""

    @property
    def used_us(self) -> float:
        """What a request costs its core."""
        return self.cpu_us + self.delivery_us


def measured(target: Target, load: Load, pins: Pinning) -> Stretch:
    """Load the gateway and measure. Raises: BenchError."""
    before = softirq_s(pins.proxy)
    found = saturate(target, load, pins)
    delivery = softirq_s(pins.proxy) - before
    return Stretch(
        found.requests,
        found.cpu_us_per_request,
        delivery * 1e6 / max(found.requests, 1),
        found.core_taken * 1e6 / found.requests_per_s if found.requests else 0.0,
    )


def softirq_s(core: int | None, stat: Path = Path("/proc/stat")) -> float:
    """Softirq time of a core so far, seconds; 0 without a core."""
    lines = (line.split() for line in stat.read_text().splitlines())
    fields = next((found for found in lines if found[:1] == [f"cpu{core}"]), None)
    return int(fields[SOFTIRQ]) / os.sysconf("SC_CLK_TCK") if fields else 0.0
