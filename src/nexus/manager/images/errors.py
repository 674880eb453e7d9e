"""What can be wrong with a request about images."""

from nexus.kit.problems import Conflict, InvalidField, NameTaken, NotFound, Problem


class ImageNotFound(NotFound):
    code = "image_not_found"

    def __init__(self, what: str = "such image") -> None:
        super().__init__(
            f"There is no {what}.", suggestion="List the images with GET /v1/images or 'nexus image list'."
        )


class ImageNameTaken(NameTaken):
    code = "image_name_taken"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"Cannot call a {kind} image {name}: another one has that name.",
            suggestion="Choose another name, or delete that image.",
        )


class ImageInUse(Conflict):
    code = "image_in_use"

    def __init__(self, name: str, *, vms: list[str], templates: list[str], snapshots: list[str]) -> None:
        obstacles = [f"VMs were made from it ({', '.join(vms)})"] if vms else []
        obstacles += [f"templates name it ({', '.join(templates)})"] if templates else []
        obstacles += [f"snapshots need it ({', '.join(snapshots)})"] if snapshots else []
        users = (("VMs", vms), ("templates", templates), ("snapshots", snapshots))
        nouns = " and ".join(noun for noun, found in users if found)
        super().__init__(
            f"Cannot delete image {name}: {', and '.join(obstacles)}.", suggestion=f"Delete those {nouns} first."
        )


class ImageFileRefused(InvalidField):
    """The file cannot be an image of this kind, or is not what the request says it is."""

    code = "image_file_refused"


class NoDefaultImage(Problem):
    """The request names no image of this kind, and none is the default."""

    status, code = 422, "no_default_image"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"No {kind} image was named, and none is the default.",
            suggestion=f"Name one, or register a {kind} image with is_default.",
        )
