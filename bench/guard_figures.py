"""The figures that the guard compares with: `bench/guard.json`, one entry for each kind of machine.

Rule 1: only what was counted with the same Python and the same libraries is compared; all others are
other figures, not worse ones. Rule 2: a figure names nothing of the machine but what changes it.
"""

import platform
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import orjson

from bench.machine import ROOT, facts

STORE = ROOT / "bench" / "guard.json"
BOUNDS = {"instructions": (0.10, -0.05), "ratio": (0.25, -0.25)}
"""Changes that fail, and that are worth storing; times swing more than counts."""
LIBRARIES = ("attrs", "hdrhistogram", "httptools", "msgspec", "orjson", "outcome", "trio")
"""Those whose code runs for every request."""

Environment = dict[str, str]
"""What changes a figure though the gateway stays as it is."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured once."""

    method: str
    """instructions: per request, in user space; ratio: CPU per request, nginx = 1."""
    environment: Environment
    values: dict[str, float]
    """By kind of request."""
    at: str
    """The day, ISO 8601."""
    commit: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to tell, and whether the change may pass."""

    fails: bool
    lines: tuple[str, ...]


def environment(method: str) -> Environment:
    """That of this process."""
    found = {"machine": platform.machine(), "python": platform.python_version()}
    if method == "ratio":
        return found
    flags = f"{sysconfig.get_config_var('CONFIG_ARGS')} {sysconfig.get_config_var('PY_CFLAGS')}"
    optimised = [words for words in ("enable-optimizations", "with-lto") if words in flags]
    found |= {"compiler": platform.python_compiler(), "built": " ".join(optimised) or "plainly"}
    return found | {name: _version(name) for name in LIBRARIES}


def load(path: Path = STORE) -> list[Figure]:
    """All that is stored; nothing where there is no file."""
    if not path.exists():
        return []
    return [Figure(**entry) for entry in orjson.loads(path.read_bytes())]


def find(figures: Sequence[Figure], method: str, where: Environment) -> Figure | None:
    """The one that was measured in the same way, in the same environment."""
    return next((f for f in figures if f.method == method and f.environment == where), None)


def store(figure: Figure, path: Path = STORE) -> None:
    """Keep a figure in the place of the one it follows."""
    kept = [
        f for f in load(path) if (f.method, f.environment) != (figure.method, figure.environment)
    ]
    entries = [asdict(f) for f in (*kept, figure)]
    path.write_bytes(orjson.dumps(entries, option=orjson.OPT_INDENT_2) + b"\n")


def figure(method: str, values: Mapping[str, float], day: str) -> Figure:
    """What was measured now."""
    digits = 0 if method == "instructions" else 2
    rounded = {kind: round(value, digits) for kind, value in values.items()}
    return Figure(method, environment(method), rounded, day, facts()["commit"])


def compare(stored: Figure | None, found: Figure) -> Verdict:
    """Judge what was found by what is stored; None: nothing comparable is."""
    if stored is None:
        where = ", ".join(f"{name} {value}" for name, value in found.environment.items())
        lines = (
            f"NO STORED FIGURE for this environment ({where}): NOTHING WAS COMPARED.",
            "Measure a commit that is known to be good: python -m bench.guard --store",
        )
        return Verdict(fails=False, lines=lines)
    worse, better = BOUNDS[found.method]
    told, shares = [], []
    for kind, value in found.values.items():
        before = stored.values.get(kind)
        if before is None:
            told.append(f"{kind}: {value:,.7g}; nothing stored, NOT COMPARED")
            continue
        shares.append(value / before - 1)
        told.append(
            f"{kind}: {value:,.7g} against {before:,.7g} of {stored.at} ({stored.commit}): "
            f"{100 * shares[-1]:+.1f} %"
        )
    fails = any(share >= worse for share in shares)
    if fails:
        told.append(f"FAIL: {100 * worse:.0f} % or more above the stored figure.")
    elif any(share <= better for share in shares):
        told.append("It got better; store the new figure: python -m bench.guard --store")
    return Verdict(fails=fails, lines=tuple(told))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
