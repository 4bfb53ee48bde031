"""Who calls: from a key, or, in open mode, from where they call."""

import hashlib

from proxy.errors import AuthenticationError, HedgerowError, PermissionDeniedError
from proxy.gateway import Gateway
from proxy.model.call import Caller
from proxy.model.downstream import Downstream
from proxy.policy.admission import foreign

OPEN = Caller(account="open")
BEARER = b"bearer "


def admit(downstream: Downstream, gateway: Gateway) -> None:
    """Where there are no keys, let programs of this machine in; everywhere else, let anybody pass.

    Raises: PermissionDeniedError.
    """
    if gateway.keys:
        return
    server = gateway.settings.server
    reason = foreign(
        downstream.head.headers,
        local=downstream.local,
        hosts=server.hosts,
        origins=server.origins,
    )
    if reason is not None:
        raise PermissionDeniedError(reason)


def recognised(downstream: Downstream, gateway: Gateway) -> bool:
    """Whether the caller may be trusted with a body larger than a few pages."""
    try:
        authorize(downstream, gateway)
    except HedgerowError:
        return False
    return True


def authorize(downstream: Downstream, gateway: Gateway) -> Caller:
    """Identify the caller before the body is read.

    Raises: AuthenticationError without a known key; PermissionDeniedError in open mode for callers
        that are not of this machine.
    """
    if not gateway.keys:
        admit(downstream, gateway)
        return OPEN
    headers = downstream.head.headers
    credentials = headers.get(b"authorization", b"")
    if credentials[: len(BEARER)].lower() == BEARER:
        key = credentials[len(BEARER) :].strip()
    else:  # as SDKs of other surfaces send it
        key = headers.get(b"x-api-key", b"").strip()
    if not key:
        raise AuthenticationError("No auth credentials found")
    digest = hashlib.sha256(key).hexdigest()
    if digest not in gateway.keys:
        raise AuthenticationError("User not found.")
    return Caller(account=digest, key_hash=digest)
