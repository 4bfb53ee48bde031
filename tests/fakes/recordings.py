"""Recorded exchanges of real providers, read from ../shared/fixtures; here: chat completions.

Rule 1: the recordings are read where they lie, and nothing of them enters this repository.
Rule 2: a body is the bytes the provider sent, after undoing gzip. Where an author kept only
decoded JSON (`parsed_body`, reqllm, vercel, lingua) it is encoded again, compactly.
Rule 3: names are `<directory>/<file stem>.<call>`; they depend on the files alone, so a test
may name a recording.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import yaml  # type: ignore[import-untyped]  # types-PyYAML is not installed

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
ABSENT = f"no recordings: {FIXTURES} is absent"

DIRECTORIES = (
    "openai_chat",
    "groq",
    "mistral",
    "deepseek",
    "together",
    "cerebras",
    "xai",
    "openrouter",
)
"""The directories whose main provider speaks the chat-completions dialect."""

ENDS_WITHOUT_DONE = frozenset({"cerebras"})
"""Directories whose streams end without `data: [DONE]` (reqllm's raw chunks show it)."""

DROPPED_HEADERS = frozenset(
    {"content-encoding", "transfer-encoding", "content-length", "connection", "keep-alive"}
)
"""Headers about the recorded connection; the server that replays it frames anew."""

JsonObject = dict[str, object]
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Recording:
    """One call to an upstream and what came back."""

    name: str
    """Unique and stable, for instance `groq/pydantic-groq_model.0`."""
    provider: str
    """The directory; a cassette may also hold calls to another provider (see `path`)."""
    path: str
    """The path of the recorded URL; `/v1/chat/completions` where no URL was kept."""
    request: JsonObject | None
    status: int
    headers: Headers
    stream: bool
    """Whether the answer is an event stream (an error to a streaming request is not)."""
    body: bytes
    pieces: tuple[bytes, ...] | None
    """The TCP chunking, where it was kept; joined, they are `body`."""


class _CassetteLoader(yaml.CSafeLoader):  # type: ignore[misc]  # untyped base
    """YAML with Ruby's local `!binary` tag (base64)."""


def _binary(loader: _CassetteLoader, node: object) -> bytes:
    return base64.b64decode(loader.construct_scalar(node))


_CassetteLoader.add_constructor("!binary", _binary)


@functools.cache
def load_recordings(directories: tuple[str, ...] = DIRECTORIES) -> tuple[Recording, ...]:
    """Every exchange with a path ending in /completions; empty where FIXTURES is absent.

    Whoever needs recordings must skip with the reason `ABSENT` when this is empty.
    """
    return tuple(
        recording
        for directory in directories
        if (FIXTURES / directory).is_dir()
        for file in sorted((FIXTURES / directory).iterdir())
        for recording in _read_file(file)
    )


def _read_file(file: Path) -> Iterable[Recording]:
    author = file.name.partition("-")[0]
    if file.suffix == ".yaml":
        return read_cassette(file)
    if file.name.endswith(".chunks.jsonl"):
        return _vercel_stream(file)
    readers: dict[str, Callable[[Path], Iterable[Recording]]] = {
        "reqllm": _reqllm,
        "lingua": _lingua,
        "vercel": _vercel_sse if file.suffix == ".sse" else _vercel_reply,
    }
    return readers[author](file)


def read_cassette(file: Path, endings: tuple[str, ...] = ("/completions",)) -> Iterator[Recording]:
    """VCR.py (pydantic, otel, openllmetry, openinference), Ruby VCR, and go-vcr (envoy).

    Args:
        endings: only calls whose path ends in one of these are wanted.
    """
    document = yaml.load(file.read_bytes(), Loader=_CassetteLoader)
    calls = document.get("interactions") or document.get("http_interactions") or []
    for index, call in enumerate(calls):
        asked, answered = call["request"], call["response"]
        path = urlsplit(asked.get("uri") or asked.get("url")).path
        if not path.endswith(endings):
            continue
        status = answered["code"] if "code" in answered else answered["status"]["code"]
        request = _request(_body(asked))
        yield recording_of(
            file,
            str(index),
            path=path,
            request=request,
            answer=(status, _headers(answered.get("headers") or {}), _body(answered)),
        )


def _reqllm(file: Path) -> Iterator[Recording]:
    document = json.loads(file.read_bytes())
    asked, answered = document["request"], document["response"]
    path = urlsplit(asked["url"]).path
    if not path.endswith("/completions"):
        return
    chunks = document.get("chunks")
    pieces = tuple(base64.b64decode(c["b64"]) for c in chunks) if chunks else None
    body = b"".join(pieces) if pieces else compact(answered["body"])
    yield recording_of(
        file,
        "0",
        path=path,
        request=asked["canonical_json"],
        answer=(answered["status"], _headers(answered["headers"]), body),
        pieces=pieces,
    )


def _lingua(file: Path) -> Iterator[Recording]:
    document = json.loads(file.read_bytes())
    for label, answer in document.items():
        if label.startswith("_") or label.endswith("request"):
            continue
        request = document["followup-request" if label.startswith("followup") else "request"]
        streaming = label.endswith("-streaming")
        body = _stream(answer, file.parent.name) if streaming else compact(answer)
        status = 400 if isinstance(answer, dict) and "error" in answer else 200
        yield recording_of(file, label, request=request, answer=(status, [], body))


def _vercel_stream(file: Path) -> Iterator[Recording]:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if '"choices"' in lines[0]:  # else another dialect's events (xai/responses)
        body = _frame(lines, file.parent.name)
        yield recording_of(file, "stream", answer=(200, [], body))


def _vercel_sse(file: Path) -> Iterator[Recording]:
    yield recording_of(file, "stream", answer=(200, [], file.read_bytes()))


def _vercel_reply(file: Path) -> Iterator[Recording]:
    answer = json.loads(file.read_bytes())
    if "choices" in answer:
        yield recording_of(file, "reply", answer=(200, [], compact(answer)))
    elif "error" in answer:
        yield recording_of(file, "reply", answer=(400, [], compact(answer)))


def recording_of(
    file: Path,
    label: str,
    *,
    answer: tuple[int, Headers, bytes],
    path: str = "/v1/chat/completions",
    request: JsonObject | None = None,
    pieces: tuple[bytes, ...] | None = None,
) -> Recording:
    """One call of a file, with what its author left out put back."""
    status, headers, body = answer
    if body.startswith(b"\x1f\x8b"):
        body = gzip.decompress(body)
    stream = body.lstrip().startswith((b"data:", b"event:", b":"))
    if not any(name.lower() == "content-type" for name, _ in headers):
        kind = "text/event-stream" if stream else "application/json"
        headers = [*headers, ("Content-Type", kind)]
    stem = file.name.removesuffix(file.suffix).removesuffix(".chunks")
    return Recording(
        name=f"{file.parent.name}/{stem}.{label}",
        provider=file.parent.name,
        path=path,
        request=request,
        status=status,
        headers=headers,
        stream=stream,
        body=body,
        pieces=pieces,
    )


def _body(message: Mapping[str, object]) -> bytes:
    """The bytes of a request or response, whatever its cassette calls them."""
    if "parsed_body" in message:
        return compact(message["parsed_body"])
    body = message.get("body")
    if isinstance(body, dict):
        body = body["base64_string"] if "base64_string" in body else body.get("string")
    if isinstance(body, bytes):
        return body
    return str(body or "").encode()


def _request(body: bytes) -> JsonObject | None:
    try:
        decoded = json.loads(body)
    except ValueError:
        return None
    return cast("JsonObject", decoded) if isinstance(decoded, dict) else None


def _headers(recorded: Mapping[str, object]) -> Headers:
    kept: Headers = []
    for name, values in recorded.items():
        if name.lower() not in DROPPED_HEADERS:
            listed = values if isinstance(values, list) else [values]
            kept.extend((name, str(value)) for value in listed)
    return kept


def compact(value: object) -> bytes:
    """JSON as providers send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _stream(events: Iterable[object], directory: str) -> bytes:
    return _frame([compact(event).decode() for event in events], directory)


def _frame(payloads: Iterable[str], directory: str) -> bytes:
    """Put back the framing that the authors took off."""
    ends = [] if directory in ENDS_WITHOUT_DONE else ["[DONE]"]
    return "".join(f"data: {payload}\n\n" for payload in [*payloads, *ends]).encode()
