"""What can be wrong with a request about SSH keys."""

from nexus.kit.problems import Conflict, InvalidField, NameTaken, NotFound


class SshKeyNotFound(NotFound):
    code = "ssh_key_not_found"

    def __init__(self, named: str | None = None) -> None:
        super().__init__(
            f"You have no SSH key {named}." if named else "There is no such SSH key.",
            suggestion="List yours with GET /v1/ssh-keys or 'nexus ssh-key list'.",
        )


class SshKeyNameTaken(NameTaken):
    code = "ssh_key_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Cannot call an SSH key {name}: its owner has another one of that name.",
            suggestion="Choose another name, or delete that key.",
        )


class SshKeyKnown(Conflict):
    """The same key, under whatever name: two names for one key would make it look deleted when it is not."""

    code = "ssh_key_known"

    def __init__(self, name: str, known_as: str) -> None:
        super().__init__(
            f"Cannot add {name}: you have this key already, as {known_as}.",
            suggestion=f"Use {known_as}, or rename it with 'nexus ssh-key rename {known_as} {name}'.",
        )


class PublicKeyRefused(InvalidField):
    """The text is no public key that could open a VM. Nothing of it stands in the answer: it may be a secret."""

    code = "public_key_refused"
