"""Which conversation a call belongs to, and when its endpoint is worth remembering.

Rule 1: a key only says where a prompt may still be cached. Two conversations with one key cost a detour,
never a mistake, so Python's own hash is enough.
Rule 2: however long a prompt is, TEXT_CHARACTERS_MAX of each message that counts are looked at.
Source: the public OpenRouter API, "Prompt caching", provider sticky routing, 2026-08.
"""

from collections.abc import Iterator

from proxy.model.call import Call
from proxy.model.document import Document, Json, as_list
from proxy.model.endpoint import Endpoint
from proxy.model.event import Usage

TEXT_CHARACTERS_MAX = 65_536
"""Of one message; conversations that begin alike for longer share a key."""
SYSTEM = frozenset(("system", "developer"))


def conversation_key(account: str, model: str, session: str, call: Call) -> str:
    """Name the conversation, within an account and a model.

    Args:
        session: the client's own name for it; empty: it is known by how it begins, by the first system
            message and the first other one.
    Returns: up to 17 characters that mean something in this process only; empty: nothing tells it apart.
    """
    if session:
        return f"{hash((account, model, session)):x}"
    first, system = _beginning(call.body)
    if not first:
        return ""
    return f"{hash((account, model, _content(system), _content(first))):x}"


def activates(*, session: bool, usage: Usage) -> bool:
    """Whether a success is remembered: named conversations always, others once a cache was used.

    Args:
        session: the client named the conversation.
    """
    return session or usage.cached_tokens > 0 or usage.cache_write_tokens > 0


def worth_it(endpoint: Endpoint) -> bool:
    """Whether a cached prompt costs less there than a new one."""
    read = endpoint.prices.cache_read
    return read is not None and read < endpoint.prices.prompt


def _beginning(body: Document) -> tuple[Json, Json]:
    """Content of the first message that is not the system's, and of the first one that is.

    A system message behind it does not count: it would rename the conversation when it comes.
    """
    system = body.get("system")
    for message in as_list(body.get("messages")):
        if not isinstance(message, dict):
            continue
        if message.get("role") not in SYSTEM:
            return message.get("content"), system
        if system is None:
            system = message.get("content")
    return None, system


def _content(content: Json) -> int:
    """A hash of the beginning of a string, or of a list of parts."""
    if isinstance(content, str):
        return hash(
            content if len(content) <= TEXT_CHARACTERS_MAX else content[:TEXT_CHARACTERS_MAX]
        )
    found: list[str] = []
    room = TEXT_CHARACTERS_MAX
    for text in _strings(content):
        found.append(text[:room])
        room -= len(found[-1])
        if room <= 0:
            break
    return hash(tuple(found))


def _strings(parts: Json) -> Iterator[str]:
    """Every string of the parts, and of the objects in them: texts, addresses, data."""
    for part in as_list(parts):
        for value in part.values() if isinstance(part, dict) else ():
            if isinstance(value, str):
                yield value
            elif isinstance(value, dict):
                yield from (inner for inner in value.values() if isinstance(inner, str))
