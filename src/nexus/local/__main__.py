"""The supervisor as a process of its own: what `nexus up --detach` starts."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from nexus.local import up

parser = argparse.ArgumentParser(prog="python -m nexus.local")
parser.add_argument("--manager-config", type=Path)
parser.add_argument("--agent-config", type=Path)
arguments = parser.parse_args()
sys.exit(
    up.run(
        up.Options(manager_config=arguments.manager_config, agent_config=arguments.agent_config),
        console=Console(stderr=True),
    )
)
