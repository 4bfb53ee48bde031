"""Explained plans on a terminal."""

import json
from typing import Any

import pytest
from rich.console import Console

from proxy.cli.explainview import read_told, view
from proxy.errors import ConfigError

FAST = {
    "endpoint": "sandbox/fast:a/b", "model": "a/b", "provider": "S", "tag": "fast", "place": 1,
    "selected": True, "out": [], "why": "throughput", "prompt_usd_per_million": "1",
    "completion_usd_per_million": "4", "ttft_p50": 0.021, "throughput_p50": 142.4, "state": "healthy",
}  # fmt: skip
OUT = {
    **FAST, "endpoint": "sandbox/slow:a/b", "place": None, "selected": False, "state": "resting",
    "out": ["rests for 20 s", "in provider.ignore"], "why": "", "ttft_p50": None,
}  # fmt: skip


def answer(*candidates: Any, **fields: Any) -> bytes:
    data = {
        "requested": "a/b:nitro", "strategy": "direct", "summary": "available=1, selected=S",
        "notes": [], "candidates": list(candidates), **fields,
    }  # fmt: skip
    return json.dumps({"data": data}).encode()


def shown(*candidates: Any, **fields: Any) -> list[str]:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(view(read_told(answer(*candidates, **fields))))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_each_candidate_has_its_place_figures_and_reason() -> None:
    heading, _, _, first, second = shown(FAST, OUT)

    assert "a/b:nitro: direct, available=1, selected=S" == heading
    assert ["*1", "sandbox/fast", "1", "4", "21", "ms", "142", "healthy", "throughput"] == (
        first.split()
    )
    assert ["out", "sandbox/slow", "1", "4", "-", "142", "resting"] == second.split()[:7]
    assert second.endswith("rests for 20 s; in provider.ignore")


def test_a_place_that_the_plan_does_not_reach_has_no_mark() -> None:
    assert " 4 " in shown({**FAST, "place": 4, "selected": False})[-1]
    assert "*" not in shown({**FAST, "place": 4, "selected": False})[-1]


def test_models_are_told_apart_where_there_are_several() -> None:
    lines = shown(FAST, {**FAST, "endpoint": "x:c/d", "model": "c/d"})

    assert "sandbox/fast:a/b" in lines[-2]
    assert "x:c/d" in lines[-1]


def test_what_would_be_refused_and_what_has_no_effect_is_said() -> None:
    lines = shown(
        notes=[":beta has no effect."], error={"code": 404, "message": "No \x1bendpoints."}
    )

    assert ["It would be refused with 404: No  endpoints.", ":beta has no effect."] == lines[1:]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data": {"requested": 1}}', answer({"place": 1})])
def test_an_answer_of_another_version_is_refused(body: bytes) -> None:
    with pytest.raises(ConfigError, match="^the gateway is of another version: "):
        read_told(body)
