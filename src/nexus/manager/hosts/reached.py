"""Where hosts reach this manager, as far as it can know: for the command with which one joins."""

import ipaddress
import socket
from pathlib import Path

from cryptography import x509

from nexus.manager.settings import ManagerSettings

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with


def public_url(settings: ManagerSettings) -> str:
    """The URL that was set, else one by the name in our certificate, the address we are bound to, or our host name."""
    if settings.public_url is not None:
        return settings.public_url
    if settings.tls_cert is not None:
        return _url("https", _name_in(settings.tls_cert) or _own_name(settings), settings.port)
    return _url("http", _own_name(settings), settings.port)


def _own_name(settings: ManagerSettings) -> str:
    return socket.gethostname() if settings.host in _EVERYWHERE else settings.host


def _name_in(certificate: Path) -> str | None:
    """The first name, or else address, that a certificate is for."""
    first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    try:
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    dns = [name for name in names.get_values_for_type(x509.DNSName) if "*" not in name]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return next(iter([*dns, *addresses]), None)


def _url(scheme: str, host: str, port: int) -> str:
    try:
        is_v6 = ipaddress.ip_address(host).version == 6
    except ValueError:
        is_v6 = False
    return f"{scheme}://[{host}]:{port}" if is_v6 else f"{scheme}://{host}:{port}"
