"""`nexus vm`: virtual machines. One file per kind of thing a person does with them."""

import typer

from nexus.cli.command import new_app
from nexus.cli.vm import create, edit, execute, inside, lifecycle, looking, removing, shell

app: typer.Typer = new_app("Virtual machines: create them, look at them, work in them.")
for part in (create, looking, lifecycle, execute, shell, inside, edit, removing):
    part.register(app)
