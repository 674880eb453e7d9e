"""What of an accepted definition a running boot lacks, over every part of a definition."""

from pathlib import Path
from uuid import UUID

from tests.agent.lab import machine_spec, random_images

from nexus.agent.machines.pending import pending
from nexus.protocol.machines import DiskFormat, DiskRole, DiskSpec, GuestSpec, MachineSpec

NEVER_DIFFER = {"id", "generation", "restore"}


def test_the_same_definition_leaves_nothing_pending(tmp_path: Path) -> None:
    spec = machine_spec(random_images(tmp_path))
    assert pending(spec, spec.model_copy(update={"generation": 9})) == ()


def test_every_part_of_a_definition_is_told_when_it_differs(tmp_path: Path) -> None:
    spec = machine_spec(random_images(tmp_path))
    for name in MachineSpec.model_fields.keys() - NEVER_DIFFER - {"guest"}:
        assert pending(spec, spec.model_copy(update={name: ()})), f"a change of {name} would not be seen"
    for name in GuestSpec.model_fields:
        guest = spec.guest.model_copy(update={name: object()})
        assert pending(spec, spec.model_copy(update={"guest": guest})), f"a change of guest.{name} would not be seen"


def test_drives_and_nics_are_told_by_name_added_changed_or_removed(tmp_path: Path) -> None:
    spec = machine_spec(random_images(tmp_path))
    data = DiskSpec(id=UUID(int=1), drive_id="data", role=DiskRole.DATA, format=DiskFormat.RAW, size_bytes=1 << 20)
    grown = data.model_copy(update={"size_bytes": 2 << 20})
    with_data = spec.model_copy(update={"disks": (*spec.disks, data)})
    assert pending(spec, with_data) == ("drives.data",)
    assert pending(with_data, spec) == ("drives.data",)
    assert pending(with_data, spec.model_copy(update={"disks": (*spec.disks, grown)})) == ("drives.data",)
    assert pending(spec, spec.model_copy(update={"nics": ()})) == ("nics.eth0",)
