"""OpenAI chat completions and legacy completions, as client side and as provider side.

Reference: dialects.md sections 1 and 11; what clients expect back: openrouter-api.md 2.1, 2.2.
"""

from proxy.dialects.openai_chat.reading import decode_response
from proxy.dialects.openai_chat.request import decode_request, encode_request
from proxy.dialects.openai_chat.writing import encode_response

__all__ = ["decode_request", "decode_response", "encode_request", "encode_response"]
