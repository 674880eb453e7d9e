"""Keys that ssh-keygen made for these tests; their private halves are nowhere."""

from pathlib import Path

HERE = Path(__file__).parent
GOOD = HERE.joinpath("good.pub").read_text().splitlines()
"""One of each kind."""
LISTED = HERE.joinpath("good.txt").read_text().splitlines()
"""What `ssh-keygen -l` says of each of them."""
ADA, OTTO = GOOD[:2]
RSA_1024, DSA = HERE.joinpath("weak.pub").read_text().splitlines()
