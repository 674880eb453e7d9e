"""What doctor finds on this machine, and how it says what is wrong."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.kit.paths import make_private, runtime_dir
from nexus.local import doctor, identity
from nexus.protocol.checkup import Checkup, Finding, Verdict


def finding(verdict: Verdict) -> Finding:
    return Finding(name="x", verdict=verdict, found="y")


@pytest.mark.parametrize(
    ("verdicts", "is_fit"),
    [
        ([Verdict.OK], True),
        ([Verdict.OK, Verdict.WARN], True),
        ([Verdict.OK, Verdict.MISSING], False),
    ],
)
def test_only_what_nexus_cannot_do_without_makes_a_machine_unfit(verdicts: list[Verdict], is_fit: bool) -> None:
    assert doctor.is_fit(Checkup(findings=tuple(finding(verdict) for verdict in verdicts))) is is_fit


def test_a_production_host_has_nothing_to_mend() -> None:
    assert doctor.is_fit(Checkup(findings=(finding(Verdict.OK),)), strict=True)
    assert not doctor.is_fit(Checkup(findings=(finding(Verdict.OK), finding(Verdict.WARN))), strict=True)


def run_doctor(data: Path, **settings: str) -> tuple[int, dict[str, Finding]]:
    done = subprocess.run(
        [sys.executable, "-m", "nexus.cli", "doctor", "-o", "json"],
        env=os.environ | {"NEXUS_DATA_DIR": str(data)} | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    findings = [Finding.model_validate(item) for item in json.loads(done.stdout)]
    return done.returncode, {finding.name: finding for finding in findings}


def test_this_machine_is_fit_and_every_complaint_has_a_remedy(short_tmp: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    status, findings = run_doctor(short_tmp / "data", MANAGER_BIND=f"127.0.0.1:{port}")
    assert status == 0, findings
    assert {"system", "cores", "memory", "disk space", "port", "hypervisor", "acceleration", "network"} <= set(findings)
    assert all(finding.fix for finding in findings.values() if finding.verdict is not Verdict.OK)
    assert not (short_tmp / "data" / "postgres").exists()


def test_a_taken_port_makes_it_unfit_and_is_told_with_the_way_out(short_tmp: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        status, findings = run_doctor(short_tmp / "data", MANAGER_BIND=f"127.0.0.1:{holder.getsockname()[1]}")
    assert status == 1
    assert findings["port"].verdict is Verdict.MISSING
    assert "MANAGER_BIND=" in (findings["port"].fix or "")


def test_a_running_instance_is_told_with_its_own_url_whatever_the_settings_are_now(short_tmp: Path) -> None:
    data = short_tmp / "data"
    me = identity.find(os.getpid())
    assert me is not None
    runtime = runtime_dir(data)
    make_private(runtime)
    identity.write(runtime / "up.pid", me, url="http://127.0.0.1:18321", ready=True)
    try:
        _, findings = run_doctor(data, MANAGER_BIND="127.0.0.1:18322")
    finally:
        shutil.rmtree(runtime)
    assert findings["port"].found == "used by Nexus, which is running at http://127.0.0.1:18321"
