"""One file or answer from outside, whole and bounded, through any redirects that may be followed.

Rule 1: every redirect is checked as a new URL; never from https to http, never with a body.
Rule 2: another origin gets only the fields that say what we read (`SHARED`): any other may be a secret.
Rule 3: all redirects together have the time of one request.
"""

from dataclasses import dataclass, replace

from proxy.errors import UpstreamUnavailableError
from proxy.net.egress import Egress, Message
from proxy.net.egress_reply import EgressLimits, EgressReply
from proxy.policy.destinations import Destination, redirected

REDIRECTS = frozenset({301, 302, 303, 307, 308})
FOLLOWED = frozenset({"GET", "HEAD"})
"""Methods whose redirects are followed; others would send a body on to a stranger."""
SHARED = frozenset({b"accept", b"accept-language", b"user-agent"})
GET = Message()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A reply, read to its end."""

    status: int
    headers: dict[str, str]
    """Names in lower case; of a decoded body without its coding and length."""
    body: bytes
    url: str
    """Where it came from in the end; it may hold what the first URL held."""


async def fetch(
    egress: Egress, url: str, message: Message = GET, *,
    limits: EgressLimits | None = None, redirects_max: int = 0,
) -> Fetched:  # fmt: skip
    """Ask for a URL and read the whole reply, whatever its status.

    Args:
        limits: None: the egress's own.
        redirects_max: with 0 a redirect is returned as the reply that it is.
    Raises: InvalidRequestError for a URL that may not be asked for; UpstreamUnavailableError (too
        many or forbidden redirects, too long, malformed), UpstreamTimeoutError, ShedError.
    """
    limits = limits or egress.limits
    deadlines = egress.deadlines(limits)
    destination = egress.check(url)
    for left in range(redirects_max, -1, -1):
        reply = await egress.ask(destination, message, limits, deadlines)
        location = _location(reply, message) if redirects_max else None
        if location is None:
            return await _whole(reply, destination)
        reply.close()
        if left:
            following = redirected(destination, location, egress.reach)
            same = following.origin == destination.origin
            message = replace(message, body=b"") if same else _for_stranger(message)
            destination = following
    raise UpstreamUnavailableError(f"Source redirects more than {redirects_max} times.")


def _location(reply: EgressReply, message: Message) -> str | None:
    """Where the reply leads on to, if it is to be followed."""
    if reply.status not in REDIRECTS or message.method not in FOLLOWED:
        return None
    return dict(reply.headers).get(b"location", b"").decode("latin-1") or None


def _for_stranger(message: Message) -> Message:
    """The same question without what is not everybody's business."""
    shared = tuple(field for field in message.headers if field[0].lower() in SHARED)
    return replace(message, headers=shared, body=b"")


async def _whole(reply: EgressReply, destination: Destination) -> Fetched:
    try:
        body = await reply.read()
    finally:
        reply.close()
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reply.headers}
    return Fetched(reply.status, headers, body, destination.url)
