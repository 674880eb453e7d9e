"""What a guest's metadata service answers: the user's tree over what images look for."""

from ipaddress import IPv4Address, IPv4Interface
from itertools import product
from pathlib import Path

from tests.agent.lab import machine_spec, random_images

from nexus.agent.machines.metadata import merged, served
from nexus.agent.net.port import Attachment
from nexus.protocol.machines import GuestSpec, GuestUser, MachineSpec, MetadataSpec


def spec_with(tmp_path: Path, **other: object) -> MachineSpec:
    user = GuestUser(ssh_authorized_keys=("ssh-ed25519 AAAA me", "ssh-ed25519 BBBB you"))
    spec = machine_spec(random_images(tmp_path), guest=GuestSpec(hostname="web-1", user=user))
    return spec.model_copy(update=other)


def test_without_metadata_nothing_is_served(tmp_path: Path) -> None:
    assert served(spec_with(tmp_path), {}) is None


def test_what_images_look_for_is_there_and_what_the_user_says_wins(tmp_path: Path) -> None:
    data = {"latest": {"meta-data": {"hostname": "other", "role": "db"}}, "mine": [1]}
    metadata = MetadataSpec(data=data, needs_token=True, is_plain=True, address=IPv4Address("169.254.1.1"))
    spec = spec_with(tmp_path, metadata=metadata, user_data="#!/bin/sh\n")
    attachment = Attachment(None, True, IPv4Interface("10.0.2.15/24"), None, ())
    made = served(spec, {spec.nics[0].id: attachment})
    assert made is not None
    assert (made.needs_token, made.is_plain, str(made.address)) == (True, True, "169.254.1.1")
    assert made.data == {
        "latest": {
            "meta-data": {
                "instance-id": f"i-{spec.id.hex}",
                "hostname": "other",
                "local-hostname": "web-1",
                "mac": "02:00:00:00:00:01",
                "local-ipv4": "10.0.2.15",
                "public-keys": {
                    "0": {"openssh-key": "ssh-ed25519 AAAA me"},
                    "1": {"openssh-key": "ssh-ed25519 BBBB you"},
                },
                "role": "db",
            },
            "user-data": "#!/bin/sh\n",
        },
        "mine": [1],
    }


def test_merging_loses_nothing_of_the_tree_above() -> None:
    trees: list[dict[str, object]] = [
        {},
        {"a": 1},
        {"a": {"b": 1}},
        {"a": {"b": {"c": 1}}, "b": 2},
        {"a": None},
        {"b": ["x"]},
    ]
    for below, above in product(trees, trees):
        both = merged(below, above)
        assert both.keys() == below.keys() | above.keys()
        assert merged(both, above) == both
        assert merged({}, above) == above == merged(above, {})
