"""`hedgerow compare` as a process, over the sandbox, and its arguments."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest

from proxy.cli.compare import opened, read_object, split
from proxy.errors import ConfigError
from tests.cli.process import hedgerow
from tests.cli.test_serve import started

FAST, SLOW = '{"only":["sandbox/fast"]}', '{"only":["sandbox/slow"]}'
MODELS = "openai/gpt-4o-mini,openai/gpt-4o"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt":"one"}\n{"messages":[{"role":"user","content":"two"}]}\n')
    return file


def test_models_are_compared_in_process_with_table_rows_and_picture(prompts: Path) -> None:
    folder = prompts.parent
    done = hedgerow(
        "compare", "-m", MODELS, "--prompts", str(prompts), "--repeat", "2", "--max-tokens", "12",
        "--provider", FAST, "--csv", "rows.csv", "--plot", "picture.svg", folder=folder,
    )  # fmt: skip

    assert (0, "") == (done.returncode, done.stderr)
    assert 2 == done.stdout.count("sandbox/fast 4")
    with (folder / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert 8 == len(rows)
    assert {("200", "", "1", "12", "length")} == {
        (r["status"], r["error"], r["attempts"], r["completion_tokens"], r["finish_reason"])
        for r in rows
    }
    assert all(0.0 < float(r["ttft_s"]) < float(r["total_s"]) for r in rows)
    assert all(float(r["cost_usd"]) > 0 for r in rows)
    picture = ET.fromstring((folder / "picture.svg").read_text())
    assert 8 == len([one for one in picture.iter() if one.tag.endswith("circle")])


def test_answers_are_checked_against_a_schema(prompts: Path) -> None:
    schema = prompts.parent / "schema.json"
    schema.write_text('{"type":"object","required":["x"],"properties":{"x":{"type":"integer"}}}')

    done = hedgerow(
        "compare", "-m", "gpt-4o-mini", "--prompts", str(prompts), "--schema", str(schema),
        "--provider", FAST, folder=prompts.parent,
    )  # fmt: skip

    assert 0 == done.returncode, done.stderr
    assert " valid " in done.stdout
    assert " 100 % " in done.stdout


def test_a_running_gateway_is_asked_and_one_of_two_models_may_fail(prompts: Path) -> None:
    with started("sidecar", "--bind", "127.0.0.1:0", folder=prompts.parent) as (_, lines):
        url = lines[0].split()[-1]
        done = hedgerow(
            "compare", "-m", "no/such,openai/gpt-4o-mini", "--prompts", str(prompts), "--url", url,
            "--provider", FAST, "--limit", "1", folder=prompts.parent,
        )  # fmt: skip

    assert 0 == done.returncode
    assert f"hedgerow: only the first 1 prompts of {prompts} are used\n" == done.stderr
    assert "no/such: invalid_request 1; the first: no/such is not a valid model ID" in done.stdout
    assert "sandbox/fast 1" in done.stdout


def test_where_every_request_fails_the_exit_code_is_1(prompts: Path) -> None:
    done = hedgerow(
        "compare", "-m", "a/b", "--prompts", str(prompts), "--url", "http://127.0.0.1:1",
        folder=prompts.parent,
    )  # fmt: skip

    assert 1 == done.returncode
    assert "a/b: unreachable 2; the first: " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prompts", "bad.jsonl"], "bad.jsonl:2: is not JSON"),
        (["--prompts", "absent.jsonl"], "absent.jsonl: No such file"),
        (["--prompts", "prompts.jsonl", "--provider", "{"], "is not JSON"),
        (["--prompts", "prompts.jsonl", "--schema", "bad.jsonl"], "bad.jsonl: is not JSON"),
        (["--prompts", "prompts.jsonl", "--url", "nowhere"], "--url: 'nowhere' is no http(s) URL"),
        (["--prompts", "prompts.jsonl", "--key", "secret", "--url", "http://h"], "--key: a secret"),
        (["--prompts", "prompts.jsonl", "--csv", "no/such/file"], "no/such/file: No such file"),
        (["--prompts", "prompts.jsonl", "--config", "none.toml"], "none.toml: No such file"),
        (["--prompts", "prompts.jsonl", "--concurrency", "0"], "--concurrency"),
        ([], "--prompts"),
    ],
)
def test_bad_arguments_are_refused_with_2_before_anything_is_sent(
    arguments: list[str], said: str, prompts: Path
) -> None:
    (prompts.parent / "bad.jsonl").write_text('{"prompt":"good"}\n{\n')

    done = hedgerow("compare", "-m", MODELS, *arguments, folder=prompts.parent)

    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_names_of_models_are_taken_once_each() -> None:
    assert ("a:nitro", "b") == split(" a:nitro,,b,a:nitro ")
    with pytest.raises(click.BadParameter):
        split(" , ")


def test_an_option_holds_a_json_object_or_is_refused() -> None:
    assert {"sort": "price"} == read_object("--provider", json.dumps({"sort": "price"}))
    assert read_object("--provider", None) is None
    with pytest.raises(click.BadParameter, match="is no JSON object"):
        read_object("--provider", "[]")


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        opened(tmp_path)
