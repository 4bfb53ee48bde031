"""What a started gateway says: where it listens, whether the sandbox answers, and a line to try.

Rule 1: the `curl` line works as printed.
"""

import json
from collections.abc import Sequence
from shlex import quote

from proxy.catalog.builtin import SANDBOX_MODEL
from proxy.catalog.catalog import Catalog

STARTER_MODEL = "openai/gpt-4o-mini"
KEY_VARIABLE = "HEDGEROW_API_KEY"
"""Where the printed line expects a key that we do not know."""


def greeting(
    urls: Sequence[str], catalog: Catalog, *, keyed: bool, generated: str | None
) -> list[str]:
    """Lines to print once the gateway listens.

    Args:
        urls: "http://host:port" or "unix:/path", as bound.
        keyed: whether callers need a key.
        generated: a key made for this run.
    """
    lines = [f"Hedgerow listens on {', '.join(urls)}"]
    if generated:
        lines.append(f"Key, shown once: {generated}")
    if catalog.sandboxed:
        lines.append("No provider key found: the built-in sandbox stands in for every model.")
    else:
        count = len(catalog.models)
        names = ", ".join(one.name for one in catalog.providers.values() if one.id != "sandbox")
        lines.append(f"{count} models at: {names}")
    model = starter_model(catalog)
    if model and urls:
        lines += ["Try it:", "  " + curl(urls[0], model, keyed=keyed, key=generated)]
    return lines


def starter_model(catalog: Catalog) -> str | None:
    """A model that answers: a well-known one in the sandbox, else the sandbox's, else the first."""
    if catalog.sandboxed and STARTER_MODEL in catalog.models:
        return STARTER_MODEL
    if SANDBOX_MODEL in catalog.models:
        return SANDBOX_MODEL
    return next(iter(catalog.models), None)


def curl(url: str, model: str, *, keyed: bool, key: str | None) -> str:
    """A shell line that asks `model` for an answer."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    parts = ["curl"]
    if url.startswith("unix:"):
        parts += ["--unix-socket", quote(url.removeprefix("unix:"))]
        url = "http://localhost"
    url = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    parts.append(f"{url}/api/v1/chat/completions")
    if keyed:
        parts.append(f'-H "authorization: Bearer {key or "$" + KEY_VARIABLE}"')
    parts += ["-H 'content-type: application/json'", f"-d {quote(json.dumps(body))}"]
    return " ".join(parts)
