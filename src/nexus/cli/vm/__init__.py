"""`nexus vm`: virtual machines. One file per kind of thing a person does with them."""

import typer

from nexus.cli.command import new_app
from nexus.cli.vm import (
    bulk,
    cloning,
    configuring,
    console,
    copying,
    create,
    drive,
    edit,
    execute,
    forward,
    inside,
    lifecycle,
    looking,
    nic,
    removing,
    shell,
    telling,
    terminals,
    top,
)

app: typer.Typer = new_app("Virtual machines: create them, look at them, work in them.")
for part in (
    create,
    looking,
    lifecycle,
    execute,
    shell,
    terminals,
    copying,
    forward,
    console,
    inside,
    edit,
    configuring,
    telling,
    drive,
    nic,
    top,
    bulk,
    cloning,
    removing,
):
    part.register(app)
