"""Where packages come from: exactly where this machine's pip would get them.

uv does not read pip's configuration, so what pip is told (file, environment) is passed on in uv's own variables. A
variable of uv's that is already set wins. Nothing here names an index: without configuration both tools know their own.
"""

import ast
from collections.abc import Mapping

_SECTIONS = ("global", "install", ":env:")
"""In pip's order: later ones override earlier ones (pip's documentation, "Configuration", section "Precedence")."""


def parse_pip_config(listing: str) -> dict[str, str]:
    """The settings that `pip install` would use, from the lines of `pip config list` (`section.key='value'`)."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listing.splitlines():
        name, equals, value = line.partition("=")
        section, dot, key = name.rpartition(".")
        if equals and dot and section in found:
            found[section][key] = str(ast.literal_eval(value))
    merged: dict[str, str] = {}
    for section in _SECTIONS:
        merged.update(found[section])
    return merged


def uv_environment(pip: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """`inherited` plus what uv must be told so that it looks where pip, configured as `pip`, would look."""
    wanted: dict[str, str] = {}
    if index := pip.get("index-url"):
        wanted["UV_DEFAULT_INDEX"] = index
    if extra := pip.get("extra-index-url", "").split():
        wanted["UV_INDEX"] = " ".join(extra)
        # pip considers every index for every package; hashes make that safe here
        wanted["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if links := pip.get("find-links", "").split():
        wanted["UV_FIND_LINKS"] = ",".join(links)
    if cert := pip.get("cert"):
        wanted["SSL_CERT_FILE"] = cert
    if client_cert := pip.get("client-cert"):
        wanted["SSL_CLIENT_CERT"] = client_cert
    if trusted := pip.get("trusted-host", "").split():
        wanted["UV_INSECURE_HOST"] = " ".join(trusted)
    if proxy := pip.get("proxy"):
        wanted |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    if timeout := pip.get("timeout") or pip.get("default-timeout"):
        wanted["UV_HTTP_TIMEOUT"] = timeout
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        wanted["UV_NO_INDEX"] = "1"
    return wanted | dict(inherited)
