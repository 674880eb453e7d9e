"""What a manager says in an archive about the snapshot in it: the VM's definition, and the images that it needs.

It comes from anywhere, so each field is held to what it could be if it were set over the API. Must stay true: nothing
in an archive names a thing of this platform; images are meant by digest, networks by name, and files of a host's own
are not to be had.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from nexus.kit.fields import MOST_INT4, Int8, Line
from nexus.kit.problems import Problem
from nexus.manager.configuration.metadata_schemas import check_tree
from nexus.manager.images.models import ImageFormat, ImageKind
from nexus.manager.labels import Label, Tags, Text, UserName
from nexus.manager.machines.lifecycle import RestartPolicy
from nexus.manager.snapshots.models import SnapshotName
from nexus.manager.ssh_keys import public_key
from nexus.manager.ssh_keys.models import PublicKeyText
from nexus.manager.vms.copying import Definition
from nexus.manager.vms.models import VmName
from nexus.protocol.archives import FORMAT
from nexus.protocol.base import Message
from nexus.protocol.cpu import CpuConfig
from nexus.protocol.limits import RateLimiter
from nexus.protocol.machines import (
    LEAST_CONSOLE_BYTES,
    MOST_CONSOLE_BYTES,
    MOST_USER_DATA,
    MOST_VCPUS,
    CacheType,
    DeviceName,
    DiskFormat,
    DiskRole,
    EntropyLimit,
    IoEngine,
    LogLevel,
    MetadataSpec,
    Sha256,
)
from nexus.protocol.snapshots import SnapshotDisk, SnapshotPins

MOST_DRIVES, MOST_NICS = 64, 64
LARGEST_DRIVE_BYTES = 1 << 44
MOST_MEM_MIB = 1 << 20


class _Archived(Message):
    """A part of an archive. What is not known here is refused: it would be lost."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _servable(metadata: MetadataSpec) -> MetadataSpec:
    check_tree(metadata.data)
    return metadata


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


def _public_key(text: str) -> str:
    try:
        public_key.parse(text, field="ssh_authorized_keys")
    except Problem as refused:
        raise ValueError(refused.error) from refused
    return text


class ArchivedSettings(_Archived):
    """A VM's settings (`machines.models.SETTINGS`), under their own names."""

    vcpus: int = Field(ge=1, le=MOST_VCPUS)
    memory_mib: int = Field(ge=128, le=MOST_MEM_MIB)
    kernel_image_id: UUID
    initramfs_image_id: UUID
    has_guest_agent: bool = True
    boot_args: Annotated[Line, Field(max_length=1024)] | None = None
    balloon_mib: int = Field(default=0, ge=0, le=MOST_MEM_MIB)
    balloon_deflates_on_oom: bool = True
    balloon_stats_s: int = Field(default=0, ge=0, le=3600)
    entropy_limit: EntropyLimit | None = None
    console_bytes: int | None = Field(default=None, ge=LEAST_CONSOLE_BYTES, le=MOST_CONSOLE_BYTES)
    log_level: LogLevel | None = None
    cpu_config: CpuConfig | None = None
    vsock_cid: int | None = Field(default=None, ge=3, le=2**32 - 2)
    metadata: Annotated[MetadataSpec, AfterValidator(_servable)] | None = None
    user_data: Annotated[str, Field(max_length=MOST_USER_DATA), AfterValidator(_storable)] | None = None


class ArchivedLabels(_Archived):
    """What a VM is called by besides its name, and who may log in."""

    description: Text
    tags: Tags
    environment: Label
    owner: Label
    username: UserName
    ssh_authorized_keys: list[Annotated[PublicKeyText, AfterValidator(_public_key)]] = Field(max_length=64)
    restart_policy: RestartPolicy


class ArchivedDrive(_Archived):
    """A drive, and the image it was made from, if any."""

    id: UUID
    drive_id: DeviceName
    position: int = Field(ge=0, le=MOST_INT4)
    role: DiskRole
    format: DiskFormat
    image_id: UUID | None
    size_bytes: int | None = Field(ge=1, le=LARGEST_DRIVE_BYTES)
    is_read_only: bool
    path_on_host: None = None
    cache_type: CacheType
    io_engine: IoEngine
    rate_limiter: RateLimiter | None

    @property
    def is_in_place(self) -> bool:
        """Whether it is served from its image, which no snapshot holds a copy of."""
        return self.image_id is not None and (self.is_read_only or self.format is DiskFormat.SQUASHFS)


class ArchivedNic(_Archived):
    """An interface, and the network it was on."""

    id: UUID
    iface_id: DeviceName
    network: Annotated[Line, Field(min_length=1, max_length=63)]
    rx_rate_limiter: RateLimiter | None
    tx_rate_limiter: RateLimiter | None


class ArchivedDefinition(_Archived):
    """A VM as it can be made again (`vms.copying.Definition`)."""

    settings: ArchivedSettings
    labels: ArchivedLabels
    drives: tuple[ArchivedDrive, ...] = Field(min_length=1, max_length=MOST_DRIVES)
    nics: tuple[ArchivedNic, ...] = Field(max_length=MOST_NICS)

    @model_validator(mode="after")
    def _each_once(self) -> "ArchivedDefinition":
        for what, values in (
            ("drive_id", [drive.drive_id for drive in self.drives]),
            ("iface_id", [nic.iface_id for nic in self.nics]),
            ("id", [one.id for one in (*self.drives, *self.nics)]),
        ):
            if len(set(values)) != len(values):
                raise ValueError(f"two have the same {what}")
        positions = [drive.position for drive in self.drives]
        if positions != sorted(set(positions)):
            raise ValueError("its drives are not in order")
        if sum(drive.role is DiskRole.ROOT for drive in self.drives) != 1:
            raise ValueError("it must have one root drive")
        return self

    @property
    def images(self) -> dict[UUID, frozenset[ImageKind]]:
        """The images it names, and what each may be."""
        disk = frozenset({ImageKind.ROOTFS, ImageKind.DATA})
        found = {drive.image_id: disk for drive in self.drives if drive.image_id is not None}
        found[self.settings.kernel_image_id] = frozenset({ImageKind.KERNEL})
        found[self.settings.initramfs_image_id] = frozenset({ImageKind.INITRAMFS})
        return found


class ArchivedImage(_Archived):
    """An image that the definition names. `is_included`: its content is in the archive."""

    id: UUID
    kind: ImageKind
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    format: ImageFormat
    sha256: Sha256
    size_bytes: Int8
    is_included: bool


class ArchiveHead(_Archived):
    """The first member of an archive."""

    format: Literal[1] = FORMAT
    made_by: Annotated[Line, Field(max_length=100)]
    name: SnapshotName
    description: Text
    vm_name: VmName
    definition: ArchivedDefinition
    images: tuple[ArchivedImage, ...] = Field(max_length=MOST_DRIVES + 2)
    disks: tuple[SnapshotDisk, ...] = Field(max_length=MOST_DRIVES)
    pins: SnapshotPins | None

    @model_validator(mode="after")
    def _fits_together(self) -> "ArchiveHead":
        images = {image.id: image for image in self.images}
        named = self.definition.images
        if len(images) != len(self.images) or set(images) != set(named):
            raise ValueError("its images are not those of its definition")
        if wrong := [image.name for image in self.images if image.kind not in named[image.id]]:
            raise ValueError(f"its image {wrong[0]} is not what its definition needs there")
        if [disk.drive_id for disk in self.disks] != [drive.drive_id for drive in self.definition.drives]:
            raise ValueError("its disks are not those of its definition")
        for disk, drive in zip(self.disks, self.definition.drives, strict=True):
            image = images[drive.image_id] if drive.image_id is not None else None
            in_place = image.sha256 if image is not None and drive.is_in_place else None
            most = max(drive.size_bytes or 0, image.size_bytes if image else 0)
            if disk.image_sha256 != in_place or disk.size_bytes > most:
                raise ValueError(f"its disk {disk.drive_id} is not what its definition says")
        if self.pins is not None and (self.pins.vcpus, self.pins.memory_mib) != (
            self.definition.settings.vcpus,
            self.definition.settings.memory_mib,
        ):
            raise ValueError("its memory is not what its definition says")
        return self

    @property
    def disk_bytes(self) -> int:
        """What its copies of disks may take."""
        return sum(disk.size_bytes for disk in self.disks if disk.image_sha256 is None)

    @property
    def expected_bytes(self) -> int:
        """What the snapshot may take on its host."""
        return self.disk_bytes + ((self.definition.settings.memory_mib << 20) if self.pins else 0)

    def stored(self, images: dict[UUID, UUID], networks: dict[str, UUID]) -> dict[str, Any]:
        """The definition as this platform stores it; `images` from those in the archive to those here."""
        found = self.definition.model_dump(mode="json")
        for name in ("kernel_image_id", "initramfs_image_id"):
            found["settings"][name] = str(images[getattr(self.definition.settings, name)])
        for described, drive in zip(found["drives"], self.definition.drives, strict=True):
            described["image_id"] = str(images[drive.image_id]) if drive.image_id else None
        for nic in found["nics"]:
            nic["network_id"] = str(networks[nic.pop("network")])
        return Definition.model_validate(found).model_dump(mode="json")


def archived(definition: Definition, networks: dict[UUID, str]) -> ArchivedDefinition:
    """A definition as archives have it. Raises ValidationError for one that no archive can hold."""
    nics = [
        {**{name: value for name, value in nic.items() if name != "network_id"}, "network": networks[_id(nic)]}
        for nic in definition.nics
    ]
    return ArchivedDefinition.model_validate({**definition.model_dump(), "nics": nics})


def _id(nic: dict[str, Any]) -> UUID:
    return UUID(str(nic["network_id"]))
