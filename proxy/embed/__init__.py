"""The gateway inside a program: on trio in the program's own loop, elsewhere in a thread of its own.

`Gateway` is the service as a block, `start_in_thread` the same for programs without a loop. Both have
`transport()` for httpx clients, `asgi` to be mounted, and `base_url` where they listen.
"""

from proxy.embed.gateway import Gateway
from proxy.embed.thread import ThreadedGateway, start_in_thread

__all__ = ["Gateway", "ThreadedGateway", "start_in_thread"]
