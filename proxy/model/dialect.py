"""The contract of a dialect: four functions around `model.event`, nothing else public."""

from collections.abc import Mapping
from typing import Protocol

from proxy.model.call import Call, Surface
from proxy.model.document import Document
from proxy.model.endpoint import Endpoint
from proxy.model.event import Event

NO_HEADERS: Mapping[bytes, bytes] = {}


class Decoder(Protocol):
    """Turns a provider's frames into events. Feeding a frame of plain text changes no state."""

    def feed(self, frame: bytes) -> list[Event]:
        """Decode one frame: the `data` of one event of a stream, or the whole body of a reply.

        Never raises: what cannot be understood is the event `Failed`.
        """
        ...


class Encoder(Protocol):
    """Turns events into what the client reads. Feeding plain text changes no state."""

    def feed(self, events: list[Event]) -> bytes:
        """Encode the events of one frame; empty where the client's dialect has nothing to say."""
        ...


class Dialect(Protocol):
    """One wire schema, as client side and as provider side."""

    @property
    def paths(self) -> Mapping[Surface, str]:
        """Path of a provider behind `base_url`, by what was asked for."""
        ...

    @property
    def headers(self) -> bytes:
        """Header lines of a request that brings none of its own (`Call.native_headers`)."""
        ...

    def decode_request(
        self, document: Document, surface: Surface, headers: Mapping[bytes, bytes] = NO_HEADERS
    ) -> Call:
        """Read a client's request; `headers` by name in lower case.

        Raises: InvalidRequestError with the field's path.
        """
        ...

    def encode_request(self, call: Call, endpoint: Endpoint) -> bytes:
        """Write the body for a provider. Raises: InvalidRequestError."""
        ...

    def decode_response(self, call: Call, endpoint: Endpoint, status: int) -> Decoder:
        """A decoder for one reply with this HTTP status."""
        ...

    def encode_response(self, call: Call | None, endpoint: Endpoint | None) -> Encoder:
        """An encoder for one reply; without an endpoint, of the body of an error (`Failed`) only."""
        ...
