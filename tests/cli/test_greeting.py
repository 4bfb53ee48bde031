"""What a started gateway says."""

import json
import shlex

from proxy.catalog.catalog import Catalog
from proxy.catalog.loader import build_catalog
from proxy.cli.greeting import curl, greeting, starter_model
from proxy.config import Settings

URL = "http://127.0.0.1:8080"
EMPTY = Catalog(models=[], providers=[], aliases={})


def test_without_keys_it_says_that_the_sandbox_answers_and_gives_a_line_that_works() -> None:
    catalog = build_catalog(Settings(), environ={})

    lines = greeting([URL], catalog, keyed=False, generated=None)

    assert "sandbox stands in" in lines[1]
    words = shlex.split(lines[-1])
    assert words[:2] == ["curl", f"{URL}/api/v1/chat/completions"]
    assert json.loads(words[-1]) == {
        "model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}],
    }  # fmt: skip


def test_with_a_provider_it_names_it_and_tries_the_sandboxs_own_model() -> None:
    catalog = build_catalog(Settings(), environ={"GROQ_API_KEY": "k"})

    lines = greeting([URL], catalog, keyed=True, generated=None)

    assert lines[1] == "7 models at: Groq"
    assert '"authorization: Bearer $HEDGEROW_API_KEY"' in lines[-1]
    assert "hedgerow/sandbox" in lines[-1]


def test_a_generated_key_is_shown_and_used() -> None:
    lines = greeting([URL], build_catalog(Settings(), environ={}), keyed=True, generated="sk-1")

    assert "Key, shown once: sk-1" in lines
    assert "authorization: Bearer sk-1" in lines[-1]


def test_with_nothing_to_serve_there_is_nothing_to_try() -> None:
    assert starter_model(EMPTY) is None
    assert greeting([URL], EMPTY, keyed=False, generated=None)[-1] == "0 models at: "


def test_a_unix_socket_and_a_wildcard_address_work_too() -> None:
    unix = shlex.split(curl("unix:/run/a b.sock", "m/n", keyed=False, key=None))
    world = curl("http://0.0.0.0:80", "m/n", keyed=False, key=None)

    assert unix[1:4] == [
        "--unix-socket",
        "/run/a b.sock",
        "http://localhost/api/v1/chat/completions",
    ]
    assert "http://127.0.0.1:80/" in world
