"""The dialects by name: the only module that knows them."""

from types import MappingProxyType

from proxy.dialects import anthropic_messages, openai_chat
from proxy.model.dialect import Dialect

DIALECTS: MappingProxyType[str, Dialect] = MappingProxyType(
    {"openai-chat": openai_chat, "anthropic-messages": anthropic_messages}
)
