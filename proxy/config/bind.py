"""Where to listen: `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`, read once into parts.

Rule 1: nothing is guessed. An address without a host would listen to the world, so it is refused.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

PORT_MAX = 65535
UNIX_PATH_BYTES_MAX = 107
"""`sun_path` of Linux, without its terminator (unix(7)); bytes."""
_TCP = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<four>[^:\[\]/\s]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Bind:
    """One listening address; either `path` (a unix socket) or `host` and `port`."""

    host: str = ""
    port: int = 0
    """0: any free port."""
    path: str = ""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it; a name other than localhost counts as public."""
        if self.path or self.host == "localhost":
            return True
        try:
            address = ip_address(self.host)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).is_loopback


def parse_bind(text: str) -> Bind:
    """Read a listening address.

    Raises: ValueError that says which form was expected.
    """
    if text.startswith("unix:"):
        return Bind(path=_unix_path(text.removeprefix("unix:")))
    match = _TCP.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not "host:port", "[ipv6]:port" or "unix:/path"')
    port = int(match["port"])
    if port > PORT_MAX:
        raise ValueError(f"port {port} is beyond {PORT_MAX}")
    if match["six"] is not None:
        try:
            IPv6Address(match["six"])
        except ValueError:
            raise ValueError(f"{match['six']!r} is not an IPv6 address") from None
    return Bind(host=match["six"] or match["four"], port=port)


def _unix_path(path: str) -> str:
    if not path or "\0" in path:
        raise ValueError("unix: needs a path behind it")
    if len(path.encode()) > UNIX_PATH_BYTES_MAX:
        raise ValueError(f"a unix socket's path has at most {UNIX_PATH_BYTES_MAX} bytes")
    return path
