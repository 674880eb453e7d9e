"""What can be reached from this machine only."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether an address (or `localhost`) is this machine's alone. Other names are not looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_loopback_url(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")
