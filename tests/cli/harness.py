"""What the CLI's tests share: names for their fixtures, and objects as the API gives them."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pexpect
from tests.cli.stub_manager import uuid_of
from typer.testing import Result

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[bytes]"]
Spawn = Callable[..., "pexpect.spawn[bytes]"]
Golden = Callable[[str, str], None]


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def vm(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A VM as the API gives it."""
    return {
        "id": uuid_of(number),
        "name": f"web-{number}",
        "state": "running",
        "guest": "ready",
        "why": None,
        "fault": None,
        "warnings": [],
        "stage": None,
        "description": "",
        "tags": [],
        "environment": "",
        "owner": "",
        "vcpu": 1,
        "mem_mib": 512,
        "disk_size_bytes": 4 << 30,
        "kernel_image_id": uuid_of(101),
        "kernel": "linux-6.1",
        "rootfs_image_id": uuid_of(102),
        "image": "debian-12",
        "restart_policy": "never",
        "username": "root",
        "host_id": uuid_of(201),
        "host_name": "lab-1",
        "guest_ip": f"10.0.0.{number}",
        "started_at": ago(hours=5, minutes=1),
        "operation_id": None,
        "actions": [{"verb": "stop", "refusal": None}],
        "created_at": ago(days=3, minutes=1),
        "updated_at": ago(hours=5),
    } | fields


def operation(status: str = "done", *, number: int = 900, **fields: Any) -> dict[str, Any]:
    """An operation as the API gives it."""
    return {
        "id": uuid_of(number),
        "verb": "create",
        "subject_kind": "vm",
        "subject_id": uuid_of(1),
        "subject_name": "web-1",
        "status": status,
        "progress": 100 if status == "done" else 40,
        "stage": None,
        "error": None,
        "created_at": ago(minutes=2, seconds=1.5),
        "updated_at": ago(minutes=2),
        "result": None,
        "finished_at": None if status == "running" else ago(minutes=2),
        "request_id": "req-5",
    } | fields
