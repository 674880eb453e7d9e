"""The whole API against its own description: schemathesis sends what each operation is said to take, and what it is
said not to take, and every answer must be one that the description has.

NEXUS_TEST_EXAMPLES says how many inputs of each kind are made for each operation; `make soak` takes many.
"""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.generation import GenerationMode
from tests.manager.compute.acting import JoinedHost, create
from tests.manager.conftest import sign_in

from nexus.kit.db import Db
from nexus.manager.wiring import describe

EXAMPLES = int(os.environ.get("NEXUS_TEST_EXAMPLES", "10"))
SEED = 20
_VALID_KEY = re.compile("[!-~]{1,255}")
ENDLESS = {"events_stream", "metrics_stream", "vms_get_console", "logs_tail"}
"""Answers that never end, or not if one asks to follow. What they tell and refuse is tested where they are at home."""
checks.load_all_checks()
cast(Any, schemathesis).serializer.alias("application/x-tar", "application/octet-stream")
CONFORMANCE: list[Any] = cast(Any, checks).CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
REJECTION: list[Any] = cast(Any, checks).CHECKS.get_by_names(["negative_data_rejection"])
"""Of bodies: a query has no types, so that `?tag=false` is a good word, whatever it was made as."""


@dataclass(frozen=True)
class Asking:
    """Sends inputs to a manager that is served at `url`, each as somebody who may ask."""

    url: str
    token: Callable[[Any], str]
    path_parameters: Callable[[Any], dict[str, str] | None]
    told: Counter[tuple[str, int]] = field(default_factory=Counter)

    def everything(self, operation: Any) -> list[str]:
        """What was wrong with the operation's answers, if anything, by the kind of input."""
        fixed = self.path_parameters(operation)
        good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=fixed)
        bad = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        wrong = [
            f"{operation.label}: {complaint}" for strategy in (good, bad) for complaint in self._generated(strategy)
        ]
        return wrong + [f"{operation.label}: {complaint}" for complaint in self._at_the_bounds(operation)]

    def _generated(self, strategy: Any) -> Iterator[str]:
        @seed(SEED)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=cast(Any, list(HealthCheck)),
        )
        @given(case=strategy)
        def conforms(case: Any) -> None:
            self.send(case)

        try:
            conforms()
        except Unsatisfiable:
            return  # nothing can be sent that would be wrong
        except Exception as wrong:  # whatever it is: it is told with the others'
            yield str(wrong)

    def _at_the_bounds(self, operation: Any) -> Iterator[str]:
        schema = operation.schema
        for case in schema.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=schema.config.generation
        ):
            try:
                self.send(case)
            except Exception as wrong:  # as above
                yield str(wrong)

    def send(self, case: Any) -> None:
        headers = {"Authorization": f"Bearer {self.token(case.operation)}"}
        sent = cast(dict[str, str], case.headers or {})
        if _VALID_KEY.fullmatch(sent.get("Idempotency-Key", "")):
            headers["Idempotency-Key"] = str(uuid4())  # or whatever is sent would be another's repetition
        answer = case.call(base_url=self.url, headers=headers)
        self.told[case.operation.label, answer.status_code] += 1
        has_body = "requestBody" in case.operation.definition.raw
        case.validate_response(answer, checks=CONFORMANCE + REJECTION * has_body)
        if case.method.upper() != case.operation.method.upper():
            # 422 where another route takes the path, for one with an id that is none: GET /v1/hosts/register. Or that
            # one takes no body of this kind: PATCH /v1/snapshots/import
            assert answer.status_code in (405, 415, 422)
        elif answer.status_code >= 400:
            told = case.operation.definition.raw["responses"][str(answer.status_code)]["description"]
            assert f"`{answer.json()['code']}`" in told, f"{answer.json()['code']} is not among {told}"


async def test_every_answer_is_one_that_the_description_has(
    served: str, host: JoinedHost, admin: httpx.AsyncClient, as_host: httpx.AsyncClient, db: Db
) -> None:
    operations = _operations()
    assert len(operations) > 40
    vm_ids = [await create(admin, f"vm-{number}", mem_mib=128) for number in range(20)]
    loop = asyncio.get_running_loop()
    session = admin.headers["Authorization"].removeprefix("Bearer ")
    credential = as_host.headers["Authorization"].removeprefix("Bearer ")

    def token(operation: Any) -> str:
        if {"host": []} in operation.definition.raw["security"]:
            return credential
        if operation.definition.raw["operationId"] == "auth_logout":  # ends the session it comes with
            return asyncio.run_coroutine_threadsafe(sign_in(db, "root"), loop).result()
        return session

    def path_parameters(operation: Any) -> dict[str, str] | None:
        known: dict[str, UUID | str] = {"{vm_id}": vm_ids[0], "{host_id}": as_host.headers["Host-Id"]}
        known |= {"{drive}": "overlay", "{nic}": "eth0"}
        if operation.method == "delete":
            return None
        if "{vm_id}" in operation.path:
            vm_ids.append(vm_ids.pop(0))
        return {name.strip("{}"): str(value) for name, value in known.items() if name in operation.path} or None

    asking = Asking(f"http://{served}", token, path_parameters)
    wrong: list[str] = []
    for operation in operations:
        wrong += await asyncio.to_thread(asking.everything, operation)
    assert wrong == [], "\n\n".join(wrong)
    assert asking.told.total() > 2000
    assert len({label for label, status in asking.told if status == 200}) > 25, "what is asked for must also happen"


def _operations() -> list[Any]:
    schema = cast(Any, schemathesis.openapi.from_dict(describe().openapi()))
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if operation.definition.raw["operationId"] not in ENDLESS]
