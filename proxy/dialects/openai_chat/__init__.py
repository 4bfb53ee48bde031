"""OpenAI chat completions and legacy completions, as client side and as provider side.

Source: the OpenAI API as its SDKs have it, hosts that deviate from it as recorded, and, for what
clients get back, the public OpenRouter API, all as of 2026-08.
"""

from proxy.dialects.openai_chat.reading import decode_response
from proxy.dialects.openai_chat.request import decode_request, encode_request, headers, paths
from proxy.dialects.openai_chat.writing import encode_response

__all__ = [
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "headers",
    "paths",
]
