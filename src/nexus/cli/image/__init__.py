"""`nexus image`: kernels, initramfs and root file systems that VMs start from."""

import typer

from nexus.cli.command import new_app
from nexus.cli.image import looking, making

app: typer.Typer = new_app("Images: kernels and root file systems that VMs start from.")
for part in (looking, making):
    part.register(app)
