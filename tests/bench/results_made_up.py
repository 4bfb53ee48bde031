"""A results JSON in which every lane and every target has figures, all made up; the same each time."""

import json
from pathlib import Path
from typing import Any

SPEED = {
    "direct": 1.0, "nginx": 2.0, "envoy": 6.0, "tensorzero": 42.0,
    "portkey": 160.0, "litellm": 950.0, "hedgerow": 12.5,
}  # fmt: skip
"""How slow each one is, in units of the mock."""
TITLES = {
    "direct": "direct", "nginx": "nginx", "envoy": "Envoy", "tensorzero": "TensorZero",
    "portkey": "Portkey", "litellm": "LiteLLM", "hedgerow": "Hedgerow",
}  # fmt: skip
SATURATED = {
    "plain": 1.0,
    "large": 2.6,
    "chunks": 9.0,
    "burst": 3.0,
    "translate": 1.6,
    "translate_stream": 14.0,
}
"""How dear each kind is, in units of the small request."""
COPIERS = frozenset({"nginx", "envoy"})
STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
ROUNDS = 3


def document(*, names: tuple[str, ...] = tuple(SPEED), rounds: int = ROUNDS) -> dict[str, Any]:
    """The whole run of `names`, as `python -m bench` would save it."""
    values: dict[str, dict[str, list[float]]] = {}
    metrics: dict[str, dict[str, Any]] = {}
    for name in names:
        for metric, unit, value in [*_saturated(name), *_latency(name), *_resident(name)]:
            part = metric.partition(".")[0]
            metrics[metric] = {
                "name": metric, "title": f"  {metric}", "unit": unit, "part": part, "ratio": True,
                "better": "higher" if "/s" in unit else "lower", "budget": None,
            }  # fmt: skip
            values.setdefault(metric, {})[name] = [value * (1 + 0.04 * n) for n in range(rounds)]
    return {
        "at": "2026-11-24T20:15:00+00:00",
        "machine": {"cpu": "Imagined", "cores": "2", "kernel": "6.0", "commit": "abc1234"},
        "pinned": {"proxy": 0, "load": 1},
        "seconds": 3, "rounds": rounds, "parts": ["plain", "ladder"],
        "targets": [
            {"name": name, "title": TITLES[name], "about": f"How {TITLES[name]} is set up | one worker.",
             "version": "1.0", "missing": None} for name in names
        ],
        "metrics": metrics, "values": values,
        "curves": {"ladder": {name: _ladder(name) for name in names}},
        "notes": {"litellm": ["Two requests timed out.", "Figures are what they are."]} if "litellm" in names else {},
        "budgets": _budgets() if "hedgerow" in names else [],
    }  # fmt: skip


def without(document: dict[str, Any], name: str, why: str) -> dict[str, Any]:
    """The same run on a machine where `name` is missing."""
    found: dict[str, Any] = json.loads(json.dumps(document))
    for target in found["targets"]:
        if target["name"] == name:
            target["missing"], target["version"] = why, ""
    for by_target in found["values"].values():
        by_target.pop(name, None)
    found["curves"]["ladder"].pop(name, None)
    return found


def only(document: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The same run with the metrics of one lane alone."""
    found: dict[str, Any] = json.loads(json.dumps(document))
    for table in ("metrics", "values"):
        found[table] = {key: value for key, value in found[table].items() if key.startswith(prefix)}
    return found | {"curves": {}, "budgets": [], "notes": {}}


def saved(document: dict[str, Any], folder: Path, name: str = "2026-11-24T201500.json") -> Path:
    """Where it was written."""
    path = folder / name
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


def _saturated(name: str) -> list[tuple[str, str, float]]:
    slow, found = SPEED[name], []
    for kind, dear in SATURATED.items():
        if kind.startswith("translate") and name in COPIERS:
            continue
        cpu = 9.0 * slow * dear
        per = "streams" if kind in {"chunks", "burst", "translate_stream"} else "requests"
        rate = min(60_000 / dear, 1e6 / cpu)
        found += [
            (f"{kind}.rate", f"{per}/s", rate), (f"{kind}.cpu", "us", cpu),
            (f"{kind}.p50", "ms", 32_000 / rate), (f"{kind}.p99", "ms", 60_000 / rate),
            (f"{kind}.busy", "share", min(1.0, rate * cpu / 1e6) * 0.96), (f"{kind}.taken", "share", 0.004),
            (f"{kind}.others", "cores", 0.02), (f"{kind}.rss", "MiB", 12 + slow / 2),
        ]  # fmt: skip
    return found


def _latency(name: str) -> list[tuple[str, str, float]]:
    slow = SPEED[name]
    found: list[tuple[str, str, float]] = [("ladder.others", "cores", 0.01)]
    if name != "direct":
        for connections in (1, 8, 64):
            found.append((f"ladder.added_p50.c{connections}", "us", 14 * slow * connections))
            found.append((f"ladder.added_p99.c{connections}", "us", 31 * slow * connections))
        found += _half(slow)
    for bound in (1, 5, 25):
        found.append((f"tail.rate_{bound}ms", "requests/s", 70_000 * bound / (bound + 1) / slow))
    for streams in (32, 200):
        found += [
            (f"paced.{streams}.rate", "events/s", 50.0 * streams),
            (f"paced.{streams}.ttfb_p50", "us", 300 + 20 * slow), (f"paced.{streams}.ttfb_p99", "us", 600 + 45 * slow),
            (f"paced.{streams}.gap_p50", "ms", 20.0), (f"paced.{streams}.gap_p99", "ms", 20.5 + slow / 20),
            (f"paced.{streams}.cpu_event", "us", 2.0 * slow), (f"paced.{streams}.others", "cores", 0.03),
        ]  # fmt: skip
        if name != "direct":
            found += [
                (f"paced.{streams}.added_ttfb_p50", "us", 20 * slow - 20), (f"paced.{streams}.added_ttfb_p99", "us", 45 * slow - 45),
                (f"paced.{streams}.added_gap_p99", "ms", slow / 20 - 0.6),
            ]  # fmt: skip
    return found


def _half(slow: float) -> list[tuple[str, str, float]]:
    return [
        (f"half.{kind}.{what}", unit, value)
        for kind, dear in (("plain", 1.0), ("chunks", 4.0))
        for what, unit, value in (
            ("rate", "requests/s", 20_000 / slow), ("cpu", "us", 11 * slow * dear),
            ("p50", "us", 120 + 15 * slow), ("p99", "us", 300 + 40 * slow),
            ("added_p50", "us", 15 * slow * dear), ("added_p99", "us", 40 * slow * dear),
            ("late", "us", 40.0), ("others", "cores", 0.02),
        )
    ]  # fmt: skip


def _resident(name: str) -> list[tuple[str, str, float]]:
    slow = SPEED[name]
    return [
        ("memory.idle", "MiB", 8 + slow), ("memory.loaded", "MiB", 10 + 1.4 * slow), ("memory.after", "MiB", 9 + 1.3 * slow),
        ("coldstart.ready", "ms", 12 * slow), ("coldstart.first", "ms", 15 * slow),
        ("leaving.p50", "ms", 0.2 * slow), ("leaving.p99", "ms", 0.6 * slow), ("leaving.kept", "share", 0.0),
    ]  # fmt: skip


def _ladder(name: str) -> list[dict[str, float]]:
    slow = SPEED[name]
    most = 75_000 / slow
    found = []
    for connections in STEPS:
        rate = most * connections / (connections + 3)
        p50 = 1e6 * connections / rate
        found.append({"connections": connections, "rate": rate, "p50_us": p50, "p99_us": 2.1 * p50})
    return found


def _budgets() -> list[dict[str, Any]]:
    return [
        {"metric": "plain.cpu", "against": "nginx", "limit": 6.0, "at_least": False, "found": 6.25, "spread": [6.2, 6.4], "holds": False, "doubt": ""},
        {"metric": "chunks.rate", "against": "nginx", "limit": 0.75, "at_least": True, "found": 0.95, "spread": [0.9, 1.0], "holds": True,
         "doubt": "nginx used 66% of its core: compare CPU instead"},
        {"metric": "half.plain.added_p99", "against": None, "limit": 2000.0, "at_least": False, "found": 500.0, "spread": [480.0, 520.0], "holds": True, "doubt": ""},
        {"metric": "memory.stream", "against": None, "limit": 40.0, "at_least": False, "found": None, "spread": None, "holds": False, "doubt": ""},
    ]  # fmt: skip
