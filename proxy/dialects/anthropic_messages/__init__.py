"""The messages API of Claude, as client side and as provider side.

Source: the public API as its SDKs have it and as recorded, as of 2026-08.
"""

from proxy.dialects.anthropic_messages.asking import encode_request
from proxy.dialects.anthropic_messages.names import headers, paths
from proxy.dialects.anthropic_messages.reading import decode_response
from proxy.dialects.anthropic_messages.request import decode_request
from proxy.dialects.anthropic_messages.writing import encode_response

__all__ = [
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "headers",
    "paths",
]
