"""What the memory of a machine depends on, as this host has it."""

from nexus.agent.vmm.port import Snapshots, Vmm
from nexus.protocol.machines import MachineSpec
from nexus.protocol.snapshots import SnapshotPins


def pins_of(vmm: Vmm, spec: MachineSpec, devices: tuple[str, ...] = ()) -> SnapshotPins:
    return SnapshotPins(
        driver=vmm.name,
        version=vmm.version,
        acceleration=vmm.acceleration,
        cpu=vmm.cpu if isinstance(vmm, Snapshots) else "",
        kernel_sha256=spec.kernel_sha256,
        vcpus=spec.vcpus,
        memory_mib=spec.memory_mib,
        devices=devices,
    )
