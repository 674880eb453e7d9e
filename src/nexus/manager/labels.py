"""Types for how users label and describe things, for the bodies of any slice."""

from typing import Annotated

from pydantic import Field, StringConstraints

from nexus.kit.fields import Line, Prose, Spelled

Text = Annotated[Prose, StringConstraints(max_length=1000)]
Label = Annotated[Line, StringConstraints(max_length=63)]
Tag = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9][A-Za-z0-9_.:=/-]{0,62}$",
        "at most 63 letters, digits and _ . : = / -, with a letter or digit first",
    ),
]
Tags = Annotated[list[Tag], Field(max_length=32, description="To find it by; at most 32 words")]
ImageRef = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        "the name or id of an image: at most 63 letters, digits and . _ -, with a letter or digit first",
    ),
]
UserName = Annotated[
    str,
    Spelled(
        r"^[a-z_][a-z0-9_-]{0,31}$",
        "at most 32 lowercase letters, digits and _ -, with a letter or _ first",
    ),
]
"""The name of a user in a guest."""
