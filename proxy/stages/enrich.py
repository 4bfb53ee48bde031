"""What the request leaves open: an id, a time; later stages of the project add files and search."""

from proxy.gateway import Gateway
from proxy.model.call import Call


def enrich(call: Call, gateway: Gateway) -> Call:
    """Name the generation."""
    call.created = gateway.unix()
    call.generation_id = gateway.identities.generation(call.created)
    return call
