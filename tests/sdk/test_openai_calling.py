"""How the Python SDK is pointed at the gateway: base URLs, keys, the module's own client, raw replies."""

import os
import subprocess
import sys

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.fakes.scripts import TEXTS
from tests.sdk.rig import KEY, ThreadedRig

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
SAID = "".join(TEXTS)
SNIPPET_S = 30.0
"""Longest a snippet in a process of its own may take, seconds."""

SNIPPET = """\
import openai
openai.base_url = "{base_url}"
openai.api_key = "{key}"
completion = openai.chat.completions.create(
    model="synthetic/text",
    messages=[{{"role": "user", "content": "hi"}}],
)
print(completion.choices[0].message.content)
stream = openai.chat.completions.create(
    model="synthetic/text",
    messages=[{{"role": "user", "content": "hi"}}],
    stream=True,
)
print("".join(chunk.choices[0].delta.content or "" for chunk in stream))
"""

FROM_THE_ENVIRONMENT = """\
from openai import OpenAI
client = OpenAI()
completion = client.chat.completions.create(
    model="synthetic/text",
    messages=[{"role": "user", "content": "hi"}],
)
print(completion.choices[0].message.content)
"""


def run(program: str, **variables: str) -> list[str]:
    """Run a program as its author wrote it; returns the lines it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=SNIPPET_S,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/v1", "/v1/"])
def test_the_module_level_snippet_works_as_it_stands(path: str, rig: ThreadedRig) -> None:
    said = run(SNIPPET.format(base_url=rig.gateway + path, key=KEY))

    assert said == [SAID, SAID]


def test_a_base_url_from_the_environment_works(rig: ThreadedRig) -> None:
    said = run(FROM_THE_ENVIRONMENT, OPENAI_BASE_URL=rig.api, OPENAI_API_KEY=KEY)

    assert said == [SAID]


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/v1", "/v1/"])
def test_every_base_url_serves_chat_completions_and_models(path: str, rig: ThreadedRig) -> None:
    with openai.OpenAI(base_url=rig.gateway + path, api_key=KEY, max_retries=0) as client:
        chat = client.chat.completions.create(model="synthetic/text", messages=HELLO)
        legacy = client.completions.create(model="synthetic/text", prompt="hi")
        ids = {model.id for model in client.models.list()}

    assert (chat.choices[0].message.content, legacy.choices[0].text) == (SAID, SAID)
    assert {"synthetic/text", "slow/long", "fault/error-midstream"} <= ids


def test_listed_models_have_the_fields_that_the_sdk_types(through: openai.OpenAI) -> None:
    page = through.models.list()

    assert page.data
    for model in page.data:
        assert model.id.count("/") == 1
        assert isinstance(model.created, int)
        assert (model.model_extra or {})["context_length"] == 1_000_000


def test_a_name_that_several_ways_lead_to_is_understood(through: openai.OpenAI) -> None:
    completion = through.chat.completions.create(model="text", messages=HELLO)

    assert completion.model == "synthetic/text"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_raw_response_has_the_generation_id_and_what_was_parsed(
    streamed: bool, through: openai.OpenAI
) -> None:
    raw = through.chat.completions.with_raw_response
    if streamed:
        answer = raw.create(model="synthetic/text", messages=HELLO, stream=True)
        chunks = list(answer.parse())
        ids, text = (
            {c.id for c in chunks},
            "".join(c.choices[0].delta.content or "" for c in chunks),
        )
    else:
        reply = raw.create(model="synthetic/text", messages=HELLO)
        answer, completion = reply, reply.parse()  # type: ignore[assignment]
        ids, text = {completion.id}, completion.choices[0].message.content or ""

    assert text == SAID
    assert {answer.headers["x-generation-id"]} == ids
    assert answer.headers["x-hedgerow-endpoint"] == "quick:synthetic/text"
    assert answer.headers["x-hedgerow-attempts"] == "1"
    assert answer.status_code == 200


def test_a_streaming_response_hands_over_the_lines(through: openai.OpenAI) -> None:
    with through.chat.completions.with_streaming_response.create(
        model="synthetic/text", messages=HELLO, stream=True
    ) as response:
        lines = [line for line in response.iter_lines() if line]

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"


@pytest.mark.parametrize("key", ["sk-hr-v1-unknown", "x"])
def test_an_unknown_key_raises_authentication_error(key: str, rig: ThreadedRig) -> None:
    with (
        openai.OpenAI(base_url=rig.api, api_key=key, max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model="synthetic/text", messages=HELLO)

    assert caught.value.status_code == 401
    assert "User not found." in caught.value.message


def test_an_unknown_path_raises_not_found(through: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        through.post("/nowhere", cast_to=object, body={})


def test_the_sdk_retries_a_429_by_itself_and_waits_as_it_is_told(rig: ThreadedRig) -> None:
    model = "fault/status-429"
    before = len(rig.newest(model, 1000))
    with (
        openai.OpenAI(base_url=rig.api, api_key=KEY, max_retries=1) as client,
        pytest.raises(openai.RateLimitError),
    ):
        client.chat.completions.create(model=model, messages=HELLO)

    *_, first, second = rig.newest(model, 1000)
    assert len(rig.newest(model, 1000)) == before + 2
    assert second.t_start - first.t_start >= 1.0


def test_extra_fields_and_headers_reach_where_they_belong(rig: ThreadedRig) -> None:
    with openai.OpenAI(base_url=rig.api, api_key=KEY, max_retries=0) as client:
        client.chat.completions.create(
            model="synthetic/text",
            messages=HELLO,
            extra_headers={"HTTP-Referer": "http://localhost:3000", "X-Title": "A test"},
            extra_body={"provider": {"only": ["quick"]}, "vendor_field": {"kept": True}},
        )

    (served,) = rig.newest("synthetic/text")
    names = {name.lower() for name, _ in served.headers}
    assert names.isdisjoint({"http-referer", "x-title", "authorization", "x-stainless-lang"})
    assert httpx.Response(200, content=served.body).json()["vendor_field"] == {"kept": True}
    assert b"only" not in served.body
