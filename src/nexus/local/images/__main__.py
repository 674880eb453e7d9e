"""`python -m nexus.local.images build`: makes the images that are missing and says what there is, as JSON."""

import argparse
import json
import sys
from pathlib import Path

from nexus.kit import paths
from nexus.local.images import recipes
from nexus.local.images.bar import Bar
from nexus.local.images.build import DEFAULT_RECIPES, build
from nexus.local.images.errors import ImageBuildError


def main(argv: list[str] | None = None) -> int:
    """Exit status 0; 1 for an image that could not be made, with the reason on standard error."""
    arguments = _parser().parse_args(argv)
    try:
        with Bar() as bar:
            built = build(
                out=arguments.out,
                cache=arguments.cache,
                guest_init=arguments.guest_init,
                recipe_names=arguments.recipe or DEFAULT_RECIPES,
                refresh=arguments.refresh,
                progress=bar,
            )
    except ImageBuildError as failed:
        print(f"error: {failed}\n{failed.advice}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("Interrupted. What was downloaded is kept; the next build goes on from there.", file=sys.stderr)  # noqa: T201
        return 130
    except OSError as failed:
        print(f"error: {failed}\nLook at the space and the rights in {arguments.out}.", file=sys.stderr)  # noqa: T201
        return 1
    if not arguments.quiet:
        made = ", ".join(built.made) or "nothing"
        print(f"Made {made}; downloaded {built.downloaded_bytes / 1e6:.0f} MB.", file=sys.stderr)  # noqa: T201
    print(json.dumps([image.model_dump() for image in built.images], indent=2))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nexus.local.images", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("build", help="make sure that images are there")
    known = ["kernel", "fast-kernel", "initramfs", *recipes.rootfs_names()]
    command.add_argument("--recipe", action="append", choices=known, help="repeatable; default: all for a first VM")
    command.add_argument("--out", type=Path, required=True, help="the manager's image directory")
    command.add_argument("--guest-init", type=Path, required=True, help="the program that becomes /init")
    command.add_argument("--cache", type=Path, default=paths.data_dir() / "cache", help="default: %(default)s")
    command.add_argument("--quiet", action="store_true", help="say nothing but progress and errors")
    command.add_argument("--refresh", action="store_true", help="look for newer packages")
    return parser


if __name__ == "__main__":
    sys.exit(main())
