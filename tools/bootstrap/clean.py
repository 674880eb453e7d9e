"""`make clean`: what can be made again goes; data, guests and the virtual environment stay."""

import shutil
import sys

from bootstrap.steps import BUILD, ROOT, VENV, say
from bootstrap.ui import SITE, UI

_CACHES = (".pytest_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache", "dist")


def main() -> None:
    for name in (BUILD.name, *_CACHES):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for made in (SITE, UI / "node_modules", UI / "out", UI / ".next", UI / "src" / "api"):
        shutil.rmtree(made, ignore_errors=True)
    for folder in ("src", "tests", "tools", "benchmarks"):
        for cache in (ROOT / folder).rglob("__pycache__"):
            shutil.rmtree(cache, ignore_errors=True)
    sys.path.insert(0, str(ROOT / "src"))
    from nexus.kit.paths import data_dir  # of this checkout, and standard library only

    say(f"build outputs and caches are gone; data was not touched ({data_dir()}), nor was {VENV.name}")


if __name__ == "__main__":
    main()
