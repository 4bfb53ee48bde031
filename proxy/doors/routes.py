"""Which paths are inference, the same at every door; all others go to the console."""

from collections.abc import Mapping

from proxy.model.call import Surface

PREFIXES = ("/api/v1/", "/v1/", "/api/v1", "/v1")
"""Where the API is served; without the slash, since SDK snippets that set a bare base URL paste it."""
INFERENCE: Mapping[str, tuple[str, Surface]] = {
    "chat/completions": ("openai-chat", "chat"),
    "completions": ("openai-chat", "completions"),
    "messages": ("anthropic-messages", "messages"),
    "messages/count_tokens": ("anthropic-messages", "count_tokens"),
}
ROUTES: Mapping[str, tuple[str, Surface]] = {
    f"{prefix}{path}{slash}": route
    for prefix in PREFIXES
    for path, route in INFERENCE.items()
    for slash in ("", "/")
}
"""Path of a POST -> the client's dialect and what it asks for."""
