"""What the metadata service in a guest answers: what a user set, over what every cloud's images look for. Pure.

The paths of the latter are EC2's, which is what cloud-init, other clouds' agents and scripts know:
`latest/meta-data/{instance-id,hostname,local-hostname,mac,local-ipv4,public-keys/0/openssh-key}`, `latest/user-data`.
"""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from nexus.agent.net.port import Attachment
from nexus.protocol.guest import GuestMetadata
from nexus.protocol.machines import MachineSpec

INSTANCE_PREFIX = "i-"


def served(spec: MachineSpec, attachments: Mapping[UUID, Attachment]) -> GuestMetadata | None:
    """None: there is no such service."""
    if spec.metadata is None:
        return None
    return GuestMetadata(
        data=merged(_always_there(spec, attachments), spec.metadata.data),
        address=spec.metadata.address,
        needs_token=spec.metadata.needs_token,
        is_plain=spec.metadata.is_plain,
    )


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both trees; where they meet, objects are merged and of anything else `above` wins."""
    both = {**below}
    for name, value in above.items():
        under = both.get(name)
        is_tree = isinstance(under, Mapping) and isinstance(value, Mapping)
        both[name] = merged(cast(Mapping[str, Any], under), cast(Mapping[str, Any], value)) if is_tree else value
    return both


def instance_id(spec: MachineSpec) -> str:
    """Stays the same for the machine's whole life: cloud-init does once per instance what it is told."""
    return INSTANCE_PREFIX + spec.id.hex


def _always_there(spec: MachineSpec, attachments: Mapping[UUID, Attachment]) -> dict[str, Any]:
    about: dict[str, Any] = {
        "instance-id": instance_id(spec),
        "hostname": spec.guest.hostname,
        "local-hostname": spec.guest.hostname,
    }
    if spec.nics:
        about["mac"] = spec.nics[0].mac
        if address := attachments[spec.nics[0].id].address:
            about["local-ipv4"] = str(address.ip)
    if keys := spec.guest.user.ssh_authorized_keys:
        about["public-keys"] = {str(number): {"openssh-key": key} for number, key in enumerate(keys)}
    latest: dict[str, Any] = {"meta-data": about}
    if spec.user_data is not None:
        latest["user-data"] = spec.user_data
    return {"latest": latest}
