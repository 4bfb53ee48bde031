"""`hedgerow demo`: the whole gateway, without key or network."""

from pathlib import Path

from tests.cli.process import hedgerow


def test_the_demo_holds_a_conversation_and_shows_what_it_cost(tmp_path: Path) -> None:
    done = hedgerow("demo", folder=tmp_path, OPENAI_API_KEY="never-used")

    assert done.returncode == 0, done.stderr
    assert "Hedgerow Sandbox" in done.stdout
    assert "first token" in done.stdout
    assert "$0.0000" in done.stdout
    assert list(tmp_path.iterdir()) == []
