"""`hedgerow models`."""

import json
from pathlib import Path

from tests.cli.process import hedgerow


def test_models_lists_what_is_served_and_all_names_the_keys(tmp_path: Path) -> None:
    some = hedgerow("models", folder=tmp_path, GROQ_API_KEY="k").stdout
    everything = hedgerow("models", "--all", folder=tmp_path, GROQ_API_KEY="k").stdout

    assert "anthropic/" not in some
    assert "meta-llama/llama-3.3-70b-instruct" in some
    assert "needs ANTHROPIC_API_KEY or OPENROUTER_API_KEY" in everything


def test_models_without_keys_says_that_the_sandbox_stands_in(tmp_path: Path) -> None:
    done = hedgerow("models", folder=tmp_path)

    assert "needs OPENAI_API_KEY or OPENROUTER_API_KEY to be real" in done.stdout
    assert "the sandbox stands in" in done.stdout


def test_models_as_json_can_be_read_by_a_program(tmp_path: Path) -> None:
    done = hedgerow("models", "--all", "--json", folder=tmp_path)

    listed = {one["id"]: one for one in json.loads(done.stdout)}

    assert listed["openai/gpt-4o"]["endpoints"][0]["provider"] == "sandbox"
    assert listed["openai/gpt-4o"]["needs"] == ["OPENAI_API_KEY", "OPENROUTER_API_KEY"]
