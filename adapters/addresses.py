"""Addresses we are asked to call: whether they can be one, whose they are, and where.

Read by the parser that the call itself uses: two would disagree on `\\` and `@`.
"""

import ipaddress
import socket

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from app.domain.errors import GiveUp, RetryLater

_PORTS = {"http": 80, "https": 443}


def address_problem(url: object) -> str | None:
    """Say why this cannot be an http(s) address to call; None when it can."""
    if not isinstance(url, str):
        return "is not a text"
    try:
        parts = parse_url(url)
    except LocationParseError:
        return f"{url!r} cannot be read"
    if parts.scheme not in _PORTS or not parts.host:
        return f"{url!r} is not one like https://till.example.com/stock"
    return "holds a user name; use secrets instead" if parts.auth else None


def host_of(url: str) -> str:
    """Scheme, host and port of an address, lower case: what an allow-list compares.

    Empty for what is no address to call.
    """
    if address_problem(url):
        return ""
    parts = parse_url(url)
    return f"{parts.scheme}://{parts.host}:{parts.port or _PORTS[str(parts.scheme)]}"


def refuse_private(url: str) -> None:
    """Raise GiveUp unless every address of the host is a public one."""
    parts = parse_url(url)
    host = (parts.host or "").strip("[]")
    port = parts.port or _PORTS[str(parts.scheme)]
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RetryLater(f"the host {host} cannot be found") from error
    if not all(is_public(str(entry[4][0])) for entry in entries):
        raise GiveUp(f"{host} is not a public address")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet, also in its disguises."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast
