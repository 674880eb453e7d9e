"""Our packet filter rules: two nftables tables named `nexus`, one for frames and one for packets.

A guest may send only from its own MAC and address. It reaches its neighbours on the same bridge and, by NAT, the
world; of the host it reaches nothing but its echo. Rules never change: what does is the sets they look into.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

from nexus.agent.net.port import NetTrouble

DEADLINE_S = 10.0
RULES = """
add table inet nexus
add table bridge nexus
flush table inet nexus
flush table bridge nexus
table inet nexus {
  set bridges { type ifname; }
  set within { type ifname . ifname; }
  set masqueraded { type ipv4_addr; flags interval; }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname @bridges jump from_guest
  }
  chain from_guest {
    ct state established,related accept
    icmp type echo-request accept
    drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname . oifname @within accept
    iifname @bridges oifname @bridges drop
    iifname @bridges accept
    oifname @bridges ct state established,related accept
    oifname @bridges drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @masqueraded oifname != @bridges masquerade
  }
}
table bridge nexus {
  set taps { type ifname; }
  set macs { type ifname . ether_addr; }
  set addresses { type ifname . ether_addr . ipv4_addr; }
  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname @taps jump from_guest
  }
  chain from_guest {
    iifname . ether saddr != @macs drop
    ether type arp iifname . arp saddr ether . arp saddr ip @addresses accept
    ether type ip iifname . ether saddr . ip saddr @addresses accept
    drop
  }
}
"""
REMOVAL = "add table inet nexus\nadd table bridge nexus\ndelete table inet nexus\ndelete table bridge nexus\n"
Element = tuple[str, str, str]
"""Family, set, and the element itself: its parts joined by a blank, an address range as 10.0.0.0/24."""


class Rules:
    """Our tables, and what is in their sets. Calls must not overlap."""

    def __init__(self) -> None:
        self._present: set[Element] | None = None

    async def check(self) -> None:
        """Whether we could make our rules, without making them. Raises NetTrouble."""
        await _nft("-c", "-f", "-", said=RULES)

    async def allow(
        self, *, bridge: str, masquerade: IPv4Network | None, tap: str, guest: tuple[str, str | None]
    ) -> None:
        """Take a bridge and a device on it under the rules. `guest`: the MAC and the address that may come from behind
        the device, and nothing else may, whatever was allowed before; `masquerade`: who leaves as the host."""
        mac, address = guest
        wanted: set[Element] = {
            ("inet", "bridges", bridge),
            ("inet", "within", f"{bridge} {bridge}"),
            ("bridge", "taps", tap),
            ("bridge", "macs", f"{tap} {mac}"),
        }
        if masquerade is not None:
            wanted.add(("inet", "masqueraded", str(masquerade)))
        if address is not None:
            wanted.add(("bridge", "addresses", f"{tap} {mac} {address}"))
        await self._change(wanted, lambda present: _of_tap(present, tap) - wanted)

    async def forget_tap(self, tap: str) -> None:
        await self._change(set(), lambda present: _of_tap(present, tap))

    async def forget_bridge(self, bridge: str, networks: set[IPv4Network]) -> None:
        """The last bridge takes the tables with it."""
        gone = {("inet", "bridges", bridge), ("inet", "within", f"{bridge} {bridge}")}
        gone |= {("inet", "masqueraded", str(network)) for network in networks}
        await self._change(set(), lambda present: present & gone)
        if not self._present:
            await _nft("-f", "-", said=REMOVAL)
            self._present = None

    async def _change(self, add: set[Element], delete: Callable[[set[Element]], set[Element]]) -> None:
        """One transaction; once more from what is really there when somebody else has changed our tables."""
        for is_last in (False, True):
            if self._present is None:
                if not add and not await _has_tables():
                    return
                await _nft("-f", "-", said=RULES)
                self._present = await _read()
            gone = delete(self._present)
            orders = [{"delete": _order(each)} for each in sorted(gone)] + [
                {"add": _order(each)} for each in sorted(add)
            ]
            try:
                if orders:
                    await _nft("-j", "-f", "-", said=json.dumps({"nftables": orders}))
                self._present = self._present - gone | add
                return
            except NetTrouble:
                self._present = None
                if is_last:
                    raise


def _of_tap(present: set[Element], tap: str) -> set[Element]:
    return {each for each in present if each[0] == "bridge" and each[2].split(" ")[0] == tap}


async def _has_tables() -> bool:
    listed = json.loads(await _nft("-j", "list", "tables"))["nftables"]
    return any(item.get("table", {}).get("name") == "nexus" for item in listed)


async def _read() -> set[Element]:
    found: set[Element] = set()
    for family in ("inet", "bridge"):
        for item in json.loads(await _nft("-j", "list", "table", family, "nexus"))["nftables"]:
            described = item.get("set", {})
            found |= {(family, described["name"], _text(each)) for each in described.get("elem", [])}
    return found


def _text(element: Any) -> str:
    if isinstance(element, str):
        return element
    if "prefix" in element:
        return f"{element['prefix']['addr']}/{element['prefix']['len']}"
    return " ".join(str(part) for part in element["concat"])


def _order(element: Element) -> dict[str, Any]:
    family, name, text = element
    if name == "masqueraded":
        address, _, length = text.partition("/")
        value: Any = {"prefix": {"addr": address, "len": int(length)}}
    else:
        parts = text.split(" ")
        value = {"concat": parts} if len(parts) > 1 else text
    return {"element": {"family": family, "table": "nexus", "name": name, "elem": [value]}}


async def _nft(*arguments: str, said: str = "") -> str:
    """Raises NetTrouble with nft's last words. It is told through a file: it cannot open the socket a pipe may be."""
    with tempfile.TemporaryFile() as told:
        told.write(said.encode())
        told.seek(0)
        try:
            nft = await asyncio.create_subprocess_exec(
                "nft", *arguments, stdin=told, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        except FileNotFoundError as missing:
            raise NetTrouble("nft is not installed (Debian: apt-get install nftables)") from missing
    try:
        async with asyncio.timeout(DEADLINE_S):
            answer, errors = await nft.communicate()
    except TimeoutError as late:
        raise NetTrouble(f"nft did not end within {DEADLINE_S:g} s") from late
    finally:
        if nft.returncode is None:
            nft.kill()
            await nft.wait()
    if nft.returncode:
        words = errors.decode(errors="replace").strip().splitlines()
        raise NetTrouble(f"nft refused: {words[0] if words else f'status {nft.returncode}'}")
    return answer.decode()
