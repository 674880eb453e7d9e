"""What can be wrong with a request about drives."""

from nexus.kit.problems import Conflict, InvalidField, NameTaken, NotAllowed, NotFound


class DriveNotFound(NotFound):
    code = "drive_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no such drive of {name}.", suggestion="List them with 'nexus vm drive list'.")


class DriveIdTaken(NameTaken):
    code = "drive_id_taken"

    def __init__(self, drive_id: str, name: str) -> None:
        super().__init__(
            f"Cannot add drive {drive_id} to {name}: it has one of that drive_id.", suggestion="Choose another."
        )


class DriveRefused(InvalidField):
    """The request contradicts itself, or what the drive is."""

    code = "drive_refused"


class RootDrive(Conflict):
    """The root file system comes with the VM and goes with it."""

    code = "root_drive"


class TooManyDrives(Conflict):
    code = "too_many_drives"

    def __init__(self, name: str, most: int) -> None:
        super().__init__(f"Cannot add a drive to {name}: it has {most}, the most there can be.")


class FileInUse(Conflict):
    """Two VMs never write one file, nor does one write what another reads."""

    code = "file_in_use"

    def __init__(self, path: str, others: list[str]) -> None:
        super().__init__(
            f"{path} is a drive of {', '.join(others)} already.",
            suggestion="Remove it there first; several VMs may share a file that all of them only read.",
        )


class FileRefused(InvalidField):
    """The host will not serve this file; the sentence is its own."""

    code = "file_refused"


class HostFilesNotAllowed(NotAllowed):
    code = "host_files_not_allowed"

    def __init__(self, error: str = "path_on_host: only administrators may give VMs files of a host.") -> None:
        super().__init__(error, suggestion="Leave it out: a drive of the VM's own is yours to make and to grow.")
