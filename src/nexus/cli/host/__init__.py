"""`nexus host`: the machines that VMs run on. One file per kind of thing a person does with them."""

import typer

from nexus.cli.command import new_app
from nexus.cli.host import joining, leaving, looking, measuring

app: typer.Typer = new_app("Hosts: the machines that VMs run on.")
for part in (looking, measuring, joining, leaving):
    part.register(app)
