"""Pages of docs/ that are tables of the code's own rules; `make fmt` writes them, `make check` compares.

What a hypervisor can is what its driver's class declares; some of it a host may lack all the same (io_uring, traffic
control), and says so when it joins.
"""

import ast
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.firecracker.driver import FirecrackerVmm
from nexus.agent.vmm.qemu.zygote_driver import ZygoteVmm
from nexus.manager.vms.governing import VERB_OF
from nexus.manager.vms.lifecycle import Circumstances, State, Verb, refusal
from nexus.manager.wiring import describe
from nexus.protocol import hosts
from nexus.protocol.hosts import Offer

DOCS = Path(__file__).parents[1] / "docs"
DRIVERS = (ZygoteVmm, FirecrackerVmm, FakeVmm)
OF_NETWORKS = {Offer.BRIDGE, Offer.USER_NET, Offer.NIC_LIMITS, Offer.HOST_FILES}
"""Those that the host's network mode and its owner's settings give, whatever the hypervisor."""
BELOW_A_VM = "/v1/vms/{vm_id}"
NOTE = "*Generated from the code by `make fmt`; do not edit.*\n"


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    return {DOCS / "vm-states.md": states_page(), DOCS / "capabilities.md": capabilities_page()}


def states_page() -> str:
    intro = (
        "# What a VM's state allows\n\n" + NOTE + "\nA request that is not allowed is answered with 409, the code "
        "`vm_state_conflict`, the reason and the way out; `actions` of a VM says the same beforehand.\n"
    )
    verbs = table(("", *State), ((f"**{verb}**", *(mark(verb, state) for state in State)) for verb in Verb))
    conditions = "\n".join(f"* {line}" for line in running_conditions())
    endpoints = table(("endpoint", "allowed as"), endpoint_rows())
    return (
        f"{intro}\n{verbs}\nOf a VM that is `running` besides:\n\n{conditions}\n\n## Endpoints\n\n"
        f"What every endpoint below `{BELOW_A_VM}` follows. *any*: no state forbids it. A DELETE while "
        f"it is `deleting` is answered with the operation that does it.\n\n{endpoints}"
    )


def mark(verb: Verb, state: State) -> str:
    return "yes" if refusal(verb, state, Circumstances()) is None else "·"


def running_conditions() -> list[str]:
    lines: dict[str, list[Verb]] = {}
    for lacking in (
        Circumstances(guest_is_ready=False),
        Circumstances(can_pause=False),
        Circumstances(can_ctrl_alt_del=False),
        Circumstances(can_snapshot=False),
    ):
        for verb in Verb:
            refused = refusal(verb, State.RUNNING, lacking)
            if refused is not None and refusal(verb, State.RUNNING, Circumstances()) is None:
                lines.setdefault(f"{refused.obstacle}: {refused.way_out}", []).append(verb)
    return [f"not {', '.join(f'**{verb}**' for verb in verbs)} while {line}" for line, verbs in lines.items()]


def endpoint_rows() -> Iterable[tuple[str, str]]:
    for path, operations in describe().openapi()["paths"].items():
        if path == BELOW_A_VM or path.startswith(BELOW_A_VM + "/"):
            for method, operation in operations.items():
                verb = VERB_OF.get(operation["operationId"])
                yield f"`{method.upper()} {path}`", f"{verb}" if verb else "*any*"


def capabilities_page() -> str:
    intro = (
        "# What hypervisors can\n\n" + NOTE + "\nA driver declares what it offers, its host tells the manager, and a "
        "request for anything else is refused with 409 and the code `not_offered`. `GET /v1/hosts/{id}` (`offers`) has "
        "what a particular host can: some of this takes its kernel's help. The fake hypervisor runs nothing: it is for "
        "tests and scale runs.\n"
    )
    words = told(Offer)
    offered = table(
        ("offer", "meaning", *(driver.name for driver in DRIVERS)),
        (
            (f"`{offer}`", words[offer.name], *("yes" if offer in driver.offers else "·" for driver in DRIVERS))
            for offer in Offer
            if offer not in OF_NETWORKS
        ),
    )
    others = table(("offer", "meaning"), ((f"`{offer}`", words[offer.name]) for offer in Offer if offer in OF_NETWORKS))
    always = (
        "Size, boot source and arguments, drives, interfaces, exec, terminals, files, port forwarding, metadata and "
        "user-data take no offer: every driver boots what it is given, and the rest is the work of the agent in the "
        "guest.\n"
    )
    return (
        f"{intro}\n{offered}\n{always}\n## Whatever the hypervisor\n\nFrom the host's network and settings.\n\n{others}"
    )


def told(enumeration: type[Offer]) -> Mapping[str, str]:
    """What stands below each member in the source."""
    [body] = (
        node.body
        for node in ast.walk(ast.parse(inspect.getsource(hosts)))
        if isinstance(node, ast.ClassDef) and node.name == enumeration.__name__
    )
    found: dict[str, str] = {}
    for member, words in pairwise(body):
        match member, words:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
            case _:
                continue
    return found


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write() -> None:
    for path, text in pages().items():
        path.write_text(text)


def stale() -> list[Path]:
    """Pages that are not what the code says."""
    return [path for path, text in pages().items() if not path.is_file() or path.read_text() != text]


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        write()
        sys.exit()
    found = stale()
    for page in found:
        print(f"{page.name} is not what the code says; run `make fmt` and commit it")
    sys.exit(bool(found))
