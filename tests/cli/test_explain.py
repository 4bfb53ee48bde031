"""`hedgerow explain`: the running gateway's answer, or that of the settings alone."""

import json
from pathlib import Path

import click
import pytest

from proxy.cli.explain import ask_alone, ask_somebody, read_body, request_of
from proxy.cli.reaching import AwayError
from proxy.errors import ConfigError
from proxy.model.document import Document
from tests.cli.process import hedgerow
from tests.cli.test_serve import started

NO_FIGURES = (
    "No gateway was asked: figures are what the catalogue expects, and rests are not known."
)
HI = [{"role": "user", "content": "hi"}]


def places(text: str) -> list[str]:
    """Tags of the endpoints of a table, in its order."""
    return [word.removeprefix("sandbox/") for word in text.split() if word.startswith("sandbox/")]


def test_a_running_gateway_explains_a_suffix_by_its_figures(tmp_path: Path) -> None:
    with started("sidecar", "--bind", "127.0.0.1:0", folder=tmp_path) as (_, lines):
        url = lines[0].split()[-1]
        fast = hedgerow("explain", "gpt-4o-mini:nitro", "--url", url, folder=tmp_path)
        cheap = hedgerow("explain", "gpt-4o-mini:floor", "--url", url, folder=tmp_path)
        document = hedgerow("explain", "gpt-4o-mini", "--json", "--url", url, folder=tmp_path)
        unknown = hedgerow("explain", "no/such", "--url", url, folder=tmp_path)

    assert (0, "") == (fast.returncode, fast.stderr)
    assert ["fast", "flaky", "slow"] == places(fast.stdout)
    assert ["slow", "flaky", "fast"] == places(cheap.stdout)
    assert NO_FIGURES not in fast.stdout
    assert 3 == len(json.loads(document.stdout)["data"]["candidates"])
    assert "no/such is not a valid model ID" in unknown.stdout + unknown.stderr


def test_without_a_gateway_the_settings_answer_and_that_is_said(tmp_path: Path) -> None:
    done = hedgerow(
        "explain", "gpt-4o-mini", "--offline", "--provider", '{"ignore":["sandbox/fast"]}',
        folder=tmp_path,
    )  # fmt: skip

    assert (0, "") == (done.returncode, done.stderr)
    assert NO_FIGURES in done.stdout
    (out,) = [line for line in done.stdout.splitlines() if line.lstrip().startswith("out ")]
    assert "sandbox/fast" in out
    assert "in provider.ignore" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a MODEL"),
        (["m", "--offline", "--url", "http://h"], "leave out --url"),
        (["m", "--provider", "["], "--provider: is not JSON"),
        (["m", "--body", "absent.json"], "absent.json: No such file"),
        (["m", "--url", "http://127.0.0.1:1"], "no gateway answers at http://127.0.0.1:1"),
    ],
)
def test_bad_arguments_are_refused_with_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = hedgerow("explain", *arguments, folder=tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr


def test_the_request_is_what_the_arguments_and_the_file_say(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"model":"x","prompt":"p","provider":{"zdr":true},"max_tokens":5}')

    assert {"model": "m", "messages": HI} == request_of("m", None, None)
    assert {"model": "m", "messages": HI, "provider": {"sort": "price"}} == request_of(
        "m", '{"sort":"price"}', None
    )
    assert {"model": "x", "prompt": "p", "provider": {"zdr": True}, "max_tokens": 5} == (
        request_of(None, None, file)
    )
    assert "m" == request_of("m", None, file)["model"]
    file.write_text('{"models":["a","b"]}')
    assert {"models": ["a", "b"], "messages": HI} == request_of(None, None, file)


def test_a_request_without_a_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text("{}")

    with pytest.raises(click.UsageError):
        request_of(None, None, file)


@pytest.mark.parametrize(
    ("text", "said"), [("[]", "is no JSON object"), ("x", "is not JSON"), (" " * 2_000_000, "larger")]
)  # fmt: skip
def test_a_file_that_holds_no_request_is_refused(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(text)

    with pytest.raises(ConfigError, match=said):
        read_body(file)


def test_whoever_is_there_is_asked_first() -> None:
    def away(request: Document) -> bytes:
        raise AwayError("nobody")

    def wants_key(request: Document) -> bytes:
        raise ConfigError("wants a key")

    assert (b"first", True) == ask_somebody({}, lambda _: b"first", lambda _: b"second")
    assert (b"second", False) == ask_somebody({}, away, lambda _: b"second")
    with pytest.raises(AwayError):
        ask_somebody({}, away, None)
    with pytest.raises(ConfigError, match="wants a key"):
        ask_somebody({}, wants_key, lambda _: b"second")


def test_alone_the_settings_of_a_file_count(tmp_path: Path) -> None:
    config = tmp_path / "h.toml"
    config.write_text('[policy]\nignore = ["sandbox"]\n')

    answer = json.loads(
        ask_alone({"model": "hedgerow/sandbox", "messages": HI}, config=config, environ={})  # type: ignore[dict-item]
    )

    assert {None} == {one["place"] for one in answer["data"]["candidates"]}
    assert 404 == answer["data"]["error"]["code"]
