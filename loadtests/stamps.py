"""What a test provider writes into its answers, so that a client can tell whose they are and how long they took.

Every piece of an answer is tagged `provider/nonce/number`; the nonce is the request's own. Rule 1: an answer that
holds a piece of another request, of another provider, twice, or not at all cannot pass. The first piece also has
the microseconds that the provider kept the request: a duration, so clocks of different machines may differ.
"""

import re
from dataclasses import dataclass

_FIRST = re.compile(r"([a-z]+)/([0-9a-f]+)/0:(\d+) ")
_ASKED = re.compile(r"\[#([0-9a-f]+)\]")


class BadReplyError(Exception):
    """A reply is not what it must be; the text names the fault in few words, the same for the same fault."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an answer tells of where it comes from."""

    provider: str
    nonce: str
    pieces: int
    waited_s: float
    """Request read → first content written; of an answer in one piece: → all of it written."""


def ask(nonce: str) -> str:
    """How a prompt names its nonce, hexadecimal digits."""
    return f"[#{nonce}]"


def asked(prompt: str) -> str:
    """The nonce that a prompt names first; "0" where it names none."""
    found = _ASKED.search(prompt)
    return found[1] if found else "0"


def piece(provider: str, nonce: str, number: int, waited_s: float = 0.0) -> str:
    """Piece `number` of an answer, from 0 on."""
    stamp = f":{waited_s * 1e6:.0f}" if number == 0 else ""
    return f"{provider}/{nonce}/{number}{stamp} "


def read(text: str) -> Stamp | None:
    """The stamp of a whole answer; None where it has none, as from a real provider.

    Raises: BadReplyError where the answer begins with a stamp and does not go on as it must.
    """
    found = _FIRST.match(text)
    if found is None:
        return None
    provider, nonce, waited_us = found[1], found[2], int(found[3])
    rest = text[found.end() :]
    pieces = rest.count(" ") + 1
    if rest != "".join(piece(provider, nonce, n) for n in range(1, pieces)):
        raise BadReplyError("mixed content")
    return Stamp(provider, nonce, pieces, waited_us / 1e6)
