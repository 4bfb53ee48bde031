"""A running gateway as commands reach it: address, key, and an answer or one clear line.

Rule 1: a key is given by reference, never in the command line, where every process could read it.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from proxy.errors import ConfigError
from proxy.model.document import Document

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8080"
KEY_VARIABLE = "HEDGEROW_API_KEY"
"""Where the key is looked for, unless `--key` says otherwise; may be absent."""
PREFIXES = ("/api/v1", "/v1")
ANSWER_S = 10.0
"""Longest wait for an answer that no model has to make."""

url_option = click.option(
    "--url",
    metavar="URL",
    help=f"Address of a running gateway, or unix:/path; default {DEFAULT_URL}.",
)
"""`--url URL`, handed over as `url: str | None`."""
key_option = click.option(
    "--key",
    metavar="REFERENCE",
    help=f"Key to call with, env:NAME or file:PATH; default env:{KEY_VARIABLE} where it is set.",
)
"""`--key REFERENCE`, handed over as `key: str | None`."""


class AwayError(ConfigError):
    """No gateway answers there."""


def base_of(url: str) -> str:
    """Scheme and authority of a gateway's URL, whether or not it ends with the API's path.

    Raises: ConfigError.
    """
    if url.startswith("unix:/"):
        return url
    bare = url.rstrip("/")
    for prefix in PREFIXES:
        bare = bare.removesuffix(prefix)
    try:
        parts = urlsplit(bare)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"--url: {url!r} is no http(s) URL and no unix:/path")
    return bare


def headers_for(reference: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Header fields that carry the key; none where there is no key. Raises: ConfigError."""
    from proxy.net.credentials import read_text, resolve_secret

    if reference is None and not environ.get(KEY_VARIABLE):
        return {}
    named = reference or f"env:{KEY_VARIABLE}"
    try:
        secret = resolve_secret(named, environ=environ, read_file=read_text)
    except ConfigError as error:
        raise ConfigError(f"--key: {error.message}") from None
    return {"authorization": f"Bearer {secret}"}


def is_near(base: str) -> bool:
    """Whether the URL is of this machine: then no proxy leads there."""
    from proxy.policy.admission import is_loopback

    host = urlsplit(base).hostname or ""
    return base.startswith("unix:") or host == "localhost" or is_loopback(host)


class Reached:
    """A gateway at a URL; asks one thing at a time."""

    def __init__(
        self, url: str | None, key: str | None, environ: Mapping[str, str] = os.environ
    ) -> None:
        """Nothing is sent yet. Raises: ConfigError."""
        self.base = base_of(url or DEFAULT_URL)
        self._headers = headers_for(key, environ)

    def ask(self, method: str, path: str, body: Document | None = None) -> bytes:
        """The body of the answer to one request below the API's path.

        Raises: AwayError; ConfigError for what is no answer.
        """
        import httpx

        place = self.base.removeprefix("unix:")
        near = is_near(self.base)
        transport = httpx.HTTPTransport(uds=place) if place != self.base else None
        base = self.base if transport is None else "http://localhost"
        with httpx.Client(
            base_url=base,
            headers=self._headers,
            transport=transport,
            timeout=ANSWER_S,
            trust_env=not near,
        ) as client:
            return self.read(lambda: client.request(method, f"/api/v1{path}", json=body))

    def read(self, send: Callable[[], "httpx.Response"]) -> bytes:
        """The body of what `send` returns. Raises: AwayError, ConfigError."""
        import httpx

        try:
            reply = send()
        except httpx.TimeoutException:
            raise AwayError(f"{self.base} does not answer in time") from None
        except httpx.TransportError as error:
            raise AwayError(f"no gateway answers at {self.base} ({_reason(error)})") from None
        return read_answer(reply, self.base)


def read_answer(reply: "httpx.Response", who: str) -> bytes:
    """The body of a reply that is one. Raises: ConfigError, in the words of `who` replied if it can."""
    from proxy.cli.figures import plain

    status = reply.status_code
    if status == 200 and "json" in reply.headers.get("content-type", ""):
        return reply.content
    message = plain(message_of(reply.content), 1000)
    if status == 401:
        raise ConfigError(f"{who} wants a key ({message}); say --key env:NAME")
    if not message:
        raise ConfigError(f"what answers at {who} is no Hedgerow gateway (status {status})")
    raise ConfigError(f"{who} answered {status}: {message}")


def message_of(body: bytes) -> str:
    """The message of an error reply; empty where there is none."""
    import json

    from proxy.model.document import as_document

    try:
        document = json.loads(body)
    except ValueError:
        return ""
    message = as_document(as_document(document).get("error")).get("message")
    return message if isinstance(message, str) else ""


def _reason(error: Exception) -> str:
    from proxy.cli.figures import plain

    return plain(str(error), 120).strip() or type(error).__name__
