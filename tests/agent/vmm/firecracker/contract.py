"""The table of Firecracker's API (`contract.json`) as a judge of requests and answers. Standard library only: the
simulator, which is started for every machine, reads it too."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

Shape = dict[str, Any]
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True)
class Operation:
    name: str
    phase: str
    soils: bool
    once: bool
    body: Shape | None
    body_required: bool
    partial: bool
    answers: dict[str, Shape | None]
    path_parameters: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    version: str
    actions: dict[str, str]
    operations: dict[str, Operation]
    types: dict[str, Shape]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation of a request, and what its path says."""
        for operation in self.operations.values():
            name, template = operation.name.split(" ")
            if name == method and (said := _match(template, path)) is not None:
                return operation, said
        return None

    def faults(self, method: str, path: str, body: object) -> list[str]:
        """What is wrong with a request; an empty list is a good one. `body`: parsed JSON, None for none."""
        found = self.find(method, path)
        if found is None:
            return [f"{method} {path} is not there"]
        operation, said = found
        if operation.body is None:
            return [] if body is None else ["has a body and should have none"]
        if body is None:
            return ["has no body"] if operation.body_required else []
        faults = self.misfits(body, operation.body, "body", partial=operation.partial)
        for name, value in said.items():
            if isinstance(body, dict) and cast(dict[str, object], body).get(name) != value:
                faults.append(f"body.{name} is not the {name} of the path")
        return faults

    def misfits(self, value: object, shape: Shape, where: str, *, partial: bool = False) -> list[str]:
        """Where a value departs from its type: unknown fields, missing ones, wrong kinds, values out of range."""
        shape = self.types[shape["ref"]] if "ref" in shape else shape
        kind = shape["type"]
        if not isinstance(value, KINDS[kind]) or (kind == "integer" and isinstance(value, bool)):
            return [f"{where} is no {kind}"]
        if isinstance(value, dict):
            return self._of_object(cast(dict[str, object], value), shape, where, partial=partial)
        if isinstance(value, list):
            items = enumerate(cast(list[object], value))
            return [fault for at, each in items for fault in self.misfits(each, shape["items"], f"{where}[{at}]")]
        return _of_scalar(value, shape, where)

    def _of_object(self, value: dict[str, object], shape: Shape, where: str, *, partial: bool) -> list[str]:
        fields: dict[str, Shape] = shape.get("fields", {})
        faults = [
            f"{where}.{name} is missing" for name in shape.get("required", []) if name not in value and not partial
        ]
        for name, each in value.items():
            if name in fields:
                faults += self.misfits(each, fields[name], f"{where}.{name}")
            elif not shape.get("open"):
                faults.append(f"{where}.{name} is unknown")
        return faults


def _of_scalar(value: object, shape: Shape, where: str) -> list[str]:
    if "enum" in shape and value not in shape["enum"]:
        return [f"{where} is none of {shape['enum']}"]
    if isinstance(value, int) and not shape.get("minimum", value) <= value <= shape.get("maximum", value):
        return [f"{where} is out of range"]
    return []


def _match(template: str, path: str) -> dict[str, str] | None:
    wanted, given = template.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    said: dict[str, str] = {}
    for want, have in zip(wanted, given, strict=True):
        if want.startswith("{"):
            said[want[1:-1]] = have
        elif want != have:
            return None
    return said


@cache
def load() -> Contract:
    table = json.loads(Path(__file__).with_name("contract.json").read_text())
    return Contract(
        version=table["source"]["version"],
        actions=table["actions"],
        operations={
            each["operation"]: Operation(
                name=each["operation"],
                phase=each["phase"],
                soils=each["soils"],
                once=each["once"],
                body=each["body"],
                body_required=each["body_required"],
                partial=each["partial"],
                answers=each["answers"],
                path_parameters=tuple(each["path_parameters"]),
            )
            for each in table["operations"]
        },
        types=table["types"],
    )
