"""`nexus snapshot`: what VMs were at one moment, to go back to or to make others of."""

import typer

from nexus.cli.command import new_app
from nexus.cli.snapshot import archives, keeping, looking, taking, using

app: typer.Typer = new_app("Snapshots: what VMs were at one moment, to go back to or to make others of.")
for part in (taking, looking, using, keeping, archives):
    part.register(app)
