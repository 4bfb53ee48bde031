"""Files of prompts."""

from pathlib import Path

import pytest

from proxy.cli import compare_prompts
from proxy.cli.compare_prompts import read_prompts, read_schema
from proxy.errors import ConfigError

SCHEMA = {"type": "object"}


def written(folder: Path, text: str) -> Path:
    file = folder / "p.jsonl"
    file.write_text(text)
    return file


def test_a_prompt_is_a_text_or_a_conversation_and_may_bring_its_schema(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '{"prompt":"hi"}\n\n{"messages":[{"role":"system","content":"s"},{"role":"user"}],'
        '"schema":{"type":"array"}}\n',
    )

    first, second = read_prompts(file, limit=5, schema=SCHEMA).every

    assert ({"role": "user", "content": "hi"},) == first.messages
    assert (SCHEMA, f"{file}:1") == (first.schema, first.place)
    assert ["system", "user"] == [one["role"] for one in second.messages]
    assert ({"type": "array"}, f"{file}:3") == (second.schema, second.place)


def test_no_more_than_the_limit_is_read_and_it_is_known_that_there_was_more(tmp_path: Path) -> None:
    file = written(tmp_path, '{"prompt":"a"}\n{"prompt":"b"}\nthis is never looked at\n')

    assert (2, True) == (len((found := read_prompts(file, limit=2)).every), found.more)
    with pytest.raises(ConfigError, match=r":3: is not JSON"):
        read_prompts(file, limit=3)


def test_a_file_that_ends_at_the_limit_is_whole(tmp_path: Path) -> None:
    assert not read_prompts(written(tmp_path, '{"prompt":"a"}\n\n'), limit=1).more


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not JSON"),
        ('{"prompt": NaN}', "is not JSON"),
        ('{"prompt": "\\ud800"}', "is not JSON"),
        ("[1]", "is no JSON object"),
        ("{}", 'say either "prompt" or "messages"'),
        ('{"prompt":"a","messages":[]}', 'say either "prompt" or "messages"'),
        ('{"prompt":""}', '"prompt" is no text'),
        ('{"prompt":1}', '"prompt" is no text'),
        ('{"messages":[]}', '"messages" is no list'),
        ('{"messages":"a"}', '"messages" is no list'),
        ('{"messages":["a"]}', '"messages" is no list'),
        ('{"messages":[{"content":"a"}]}', '"messages" is no list'),
        ('{"prompt":"a","schema":"s"}', '"schema" is no JSON object'),
    ],
)
def test_a_bad_line_is_named(line: str, said: str, tmp_path: Path) -> None:
    file = written(tmp_path, f'{{"prompt":"good"}}\n{line}\n')

    with pytest.raises(ConfigError) as caught:
        read_prompts(file, limit=10)

    assert caught.value.message.startswith(f"{file}:2: {said}")


def test_a_line_without_end_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_prompts, "LINE_BYTES_MAX", 20)
    file = written(tmp_path, '{"prompt":"good"}\n' + "x" * 50)

    with pytest.raises(ConfigError, match=r":2: is longer than 20 bytes"):
        read_prompts(file, limit=10)


def test_a_file_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_prompts(tmp_path / "none", limit=1)
    with pytest.raises(ConfigError, match="holds no prompt"):
        read_prompts(written(tmp_path, "\n \n"), limit=1)


def test_a_schema_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '{"type": "object"}')

    assert SCHEMA == read_schema(file)
    with pytest.raises(ConfigError, match="No such file"):
        read_schema(tmp_path / "none")
    with pytest.raises(ConfigError, match="no JSON object"):
        read_schema(written(tmp_path, "[]"))
    monkeypatch.setattr(compare_prompts, "SCHEMA_BYTES_MAX", 1)
    with pytest.raises(ConfigError, match="is larger than 1 bytes"):
        read_schema(file)
