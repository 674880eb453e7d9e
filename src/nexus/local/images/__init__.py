"""Kernel, initramfs and root file systems from the distribution's packages, for a first start without any download site
of ours. docs/images.md says what is in them and why."""

from nexus.local.images.build import DEFAULT_RECIPES, Built, build
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Progress, Silent
from nexus.local.images.store import INDEX, Image, Index, Store

__all__ = [
    "DEFAULT_RECIPES",
    "INDEX",
    "Built",
    "Image",
    "ImageBuildError",
    "Index",
    "Progress",
    "Silent",
    "Store",
    "build",
]
