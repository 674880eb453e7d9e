"""Makes `contract.json`, the table our requests and the simulator are held to, from Firecracker's API description.

    python tests/agent/vmm/firecracker/make_contract.py firecracker.yaml

The description (src/firecracker/swagger/firecracker.yaml of a release, Apache-2.0) says paths, fields, types and
statuses. When a request is taken it says in words only, and not everywhere: `PHASES` says it for each, and is checked
against the words where there are some. It follows the two controllers in Firecracker's src/vmm/src/rpc_interface.rs,
which also know what makes loading a snapshot impossible (`soils`).
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).with_name("contract.json")
BEFORE, AFTER, ANY, FRESH, PAUSED, ACTION = "before_boot", "after_boot", "any", "fresh", "paused", "by_action"
PHASES = {
    "GET /": ANY,
    "PUT /actions": ACTION,
    "GET /balloon": ANY,
    "PUT /balloon": BEFORE,
    "PATCH /balloon": AFTER,
    "GET /balloon/statistics": AFTER,
    "PATCH /balloon/statistics": AFTER,
    "PATCH /balloon/hinting/start": AFTER,
    "GET /balloon/hinting/status": AFTER,
    "PATCH /balloon/hinting/stop": AFTER,
    "PUT /boot-source": BEFORE,
    "PUT /cpu-config": BEFORE,
    "PUT /drives/{drive_id}": BEFORE,
    "PATCH /drives/{drive_id}": AFTER,
    "PUT /pmem/{id}": BEFORE,
    "PATCH /pmem/{id}": AFTER,
    "PUT /logger": BEFORE,
    "GET /machine-config": ANY,
    "PUT /machine-config": BEFORE,
    "PATCH /machine-config": BEFORE,
    "PUT /metrics": BEFORE,
    "PUT /mmds": ANY,
    "PATCH /mmds": ANY,
    "GET /mmds": ANY,
    "PUT /mmds/config": BEFORE,
    "PUT /entropy": BEFORE,
    "PUT /serial": BEFORE,
    "PUT /hotplug/memory": BEFORE,
    "PATCH /hotplug/memory": AFTER,
    "GET /hotplug/memory": AFTER,
    "PUT /network-interfaces/{iface_id}": BEFORE,
    "PATCH /network-interfaces/{iface_id}": AFTER,
    "PUT /snapshot/create": PAUSED,
    "PUT /snapshot/load": FRESH,
    "GET /version": ANY,
    "PATCH /vm": AFTER,
    "GET /vm/config": ANY,
    "PUT /vsock": BEFORE,
}
ACTIONS = {"FlushMetrics": AFTER, "InstanceStart": BEFORE, "SendCtrlAltDel": AFTER}
CLEAN = {"PUT /logger", "PUT /metrics", "PUT /serial", "PUT /cpu-config", "PUT /snapshot/load"}
"""Taken before boot and yet no obstacle to loading a snapshot."""
ONCE = {"PUT /metrics"}
OPTIONAL_WHERE_PARTIAL = {"PATCH /machine-config"}
"""The description gives the full type, whose required fields a partial update may leave out."""


def main(description: Path) -> None:
    api: dict[str, Any] = yaml.safe_load(description.read_text())
    operations = [
        operation(method.upper(), path, said)
        for path, methods in api["paths"].items()
        for method, said in methods.items()
    ]
    if missing := PHASES.keys() ^ {each["operation"] for each in operations}:
        raise SystemExit(f"not in both the description and PHASES: {', '.join(sorted(missing))}")
    table = {
        "source": {
            "title": api["info"]["title"],
            "version": api["info"]["version"],
            "file": "src/firecracker/swagger/firecracker.yaml",
            "license": api["info"]["license"]["name"],
        },
        "actions": ACTIONS,
        "operations": operations,
        "types": {name: shape(said) for name, said in api["definitions"].items()},
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


def operation(method: str, path: str, said: dict[str, Any]) -> dict[str, Any]:
    name = f"{method} {path}"
    phase = PHASES[name]
    words = f"{said.get('summary', '')} {said.get('description', '')}"
    if "Pre-boot only" in words and phase not in (BEFORE, FRESH):
        raise SystemExit(f"{name} is for before boot, says the description")
    if "Post-boot only" in words and phase not in (AFTER, PAUSED):
        raise SystemExit(f"{name} is for after boot, says the description")
    body = next((each for each in said.get("parameters", []) if each["in"] == "body"), None)
    return {
        "operation": name,
        "id": said["operationId"],
        "phase": phase,
        "soils": phase == BEFORE and name not in CLEAN,
        "once": name in ONCE,
        "path_parameters": [each["name"] for each in said.get("parameters", []) if each["in"] == "path"],
        "body": shape(body["schema"]) if body else None,
        "body_required": bool(body and body.get("required", False)),
        "partial": name in OPTIONAL_WHERE_PARTIAL,
        "answers": {
            str(code): shape(each["schema"]) if "schema" in each else None for code, each in said["responses"].items()
        },
    }


def shape(said: dict[str, Any]) -> dict[str, Any]:
    """A type without its prose: `ref`, or `type` with what narrows it."""
    if "$ref" in said:
        return {"ref": said["$ref"].rpartition("/")[2]}
    made: dict[str, Any] = {"type": said["type"]}
    made |= {key: said[key] for key in ("enum", "minimum", "maximum", "default", "required") if key in said}
    if said["type"] == "array":
        made["items"] = shape(said["items"])
    if "properties" in said:
        made["fields"] = {name: shape(each) for name, each in said["properties"].items()}
    if said.get("additionalProperties"):
        made["open"] = True
    return made


if __name__ == "__main__":
    main(Path(sys.argv[1]))
