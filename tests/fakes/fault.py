"""The value that names a misbehaviour of the upstream, and its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from urllib.parse import parse_qsl

from tests.fakes.scripts import Script


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour; as a model name it reads `fault/<kind>?after=3&delay_s=0.1`.

    `fault/status-429` is short for `fault/status?status=429`. Kinds: `wire_faults.kinds()`.
    """

    kind: str
    after: int = 2
    """Events that are sent before the fault strikes."""
    status: int = 500
    retry_after: str | None = None
    """Value of Retry-After; 429 sends "1" if none is given."""
    delay_s: float = 0.02
    """Seconds: before a reset or hangup, and between the writes of slow bytes."""
    size: int | None = None
    """Bytes of what is too large; each kind has its own default."""
    count: int | None = None
    """How many of what is too many; each kind has its own default."""
    script: Script = field(default_factory=Script)
    """What a healthy upstream would have said; not settable by name."""

    @classmethod
    def parse(cls, name: str) -> Fault:
        """Read `kind?parameter=value&…`.

        Raises: ValueError for a parameter that does not exist or does not convert.
        """
        kind, _, query = name.partition("?")
        if kind.startswith("status-"):
            kind, query = "status", f"status={kind.removeprefix('status-')}&{query}"
        readers = {"delay_s": float, "retry_after": str}
        known = {each.name for each in fields(cls)} - {"kind", "script"}
        given: dict[str, object] = {}
        for parameter, value in parse_qsl(query):
            if parameter not in known:
                raise ValueError(f"unknown parameter {parameter!r}")
            given[parameter] = readers.get(parameter, int)(value)
        return cls(kind, **given)  # type: ignore[arg-type]  # converted by name above
