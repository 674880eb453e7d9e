"""What can be wrong with a request about templates."""

from nexus.kit.problems import NameTaken, NotFound


class TemplateNotFound(NotFound):
    code = "template_not_found"

    def __init__(self, named: str | None = None) -> None:
        super().__init__(
            f"You have no template {named}." if named else "There is no such template.",
            suggestion="List yours with GET /v1/templates or 'nexus template list'.",
        )


class TemplateNameTaken(NameTaken):
    code = "template_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Cannot call a template {name}: another one has that name.",
            suggestion="Choose another name, or delete that template.",
        )
