"""What the request leaves open: an id, a time; later stages of the project add files and search."""

from proxy.gateway import Gateway
from proxy.model.call import Call
from proxy.net.clock import generation_id


def enrich(call: Call, gateway: Gateway) -> Call:
    """Name the generation."""
    call.created = gateway.unix()
    call.generation_id = generation_id(call.created)
    return call
