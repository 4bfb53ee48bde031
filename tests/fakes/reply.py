"""What a client of any protocol got, and what is always true of it."""

import json
from dataclasses import dataclass, field
from typing import Any

ANSWER_S = 10.0
"""Longest a client here waits for one answer, seconds."""
READ_BYTES = 1 << 20


@dataclass(slots=True)
class Reply:
    """One HTTP answer, read to its end."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    informational: int = 0
    whole: bool = False
    """The framing says that nothing is missing."""

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The `error` member, after a look at the envelope's shape."""
        error = self.json["error"]
        assert {"code", "message", "metadata"} == set(error), error
        assert "Traceback" not in error["message"]
        assert error["code"] == self.status
        return error

    @property
    def data(self) -> list[str]:
        """`data:` of each event; strict about UTF-8 and about the events' own framing."""
        text = self.body.decode()
        assert not text or text.endswith("\n\n"), text[-80:]
        events = [event for event in text.split("\n\n") if event and not event.startswith(":")]
        assert all(event.startswith("data: ") and "\n" not in event for event in events), events
        return [event.removeprefix("data: ") for event in events]

    @property
    def chunks(self) -> list[Any]:
        """The JSON of each event of a stream, which must end with its terminator."""
        assert self.data[-1] == "[DONE]", self.data[-3:]
        assert self.data.count("[DONE]") == 1
        return [json.loads(text) for text in self.data[:-1]]

    @property
    def text(self) -> str:
        """What the model said."""
        if "event-stream" in self.headers.get("content-type", ""):
            deltas = [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]
            return "".join(delta.get("content") or "" for delta in deltas)
        return str(self.json["choices"][0]["message"]["content"])
