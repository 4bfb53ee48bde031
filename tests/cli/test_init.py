"""The settings file that `hedgerow init` writes."""

import re
import tomllib
from pathlib import Path

import pytest

from proxy.catalog.builtin import load_builtin
from proxy.catalog.loader import build_catalog
from proxy.cli.init import settings_text
from proxy.config import parse_settings
from tests.cli.process import hedgerow

PROVIDERS = list(load_builtin().providers.values())
ALL_KEYS = {facts.key_env: "k" for facts in PROVIDERS}


@pytest.mark.parametrize("environ", [{}, {"GROQ_API_KEY": "k"}, ALL_KEYS])
def test_what_is_written_is_accepted(environ: dict[str, str]) -> None:
    document = tomllib.loads(settings_text(PROVIDERS, environ))

    catalog = build_catalog(parse_settings(document, origin="init"), environ=environ)

    assert catalog.sandboxed == (not environ)


def test_its_commented_lines_are_accepted_when_uncommented() -> None:
    text = settings_text(PROVIDERS, {})
    live = re.sub(r"^# (?=[a-z_]+ = |\[|\")", "", text, flags=re.MULTILINE)
    live = live.replace('"sha256:..."', '"env:K"')

    settings = parse_settings(tomllib.loads(live), origin="init")

    assert settings.models[0].id == "local/llama"
    assert settings.timeouts.total_s == 600


def test_no_secret_is_written() -> None:
    assert "sk-secret" not in settings_text(PROVIDERS, {"OPENAI_API_KEY": "sk-secret"})


def test_init_writes_what_check_accepts_and_does_not_overwrite(tmp_path: Path) -> None:
    first = hedgerow("init", folder=tmp_path, GROQ_API_KEY="k")
    second = hedgerow("init", folder=tmp_path, GROQ_API_KEY="k")
    forced = hedgerow("init", "--force", folder=tmp_path, GROQ_API_KEY="k")
    checked = hedgerow("check", folder=tmp_path, GROQ_API_KEY="k")

    assert "Found keys of: Groq." in first.stdout
    assert second.returncode == 2
    assert second.stderr == "hedgerow: hedgerow.toml: exists; say --force to overwrite it\n"
    assert (forced.returncode, checked.returncode) == (0, 0)
    assert "groq" in checked.stdout
