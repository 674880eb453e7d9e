"""Figures as benchmarks print them."""

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float], *, unit: str = "s", digits: int = 3) -> str:
    """Minimum, median and maximum, with the number of values."""
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"min {low}  median {middle}  max {high} {unit}  (n={len(values)})"


def paired_ratio(measured: Sequence[float], baseline: Sequence[float]) -> float:
    """The median of the ratios pair by pair: what holds when the machine's speed drifts."""
    return statistics.median(a / b for a, b in zip(measured, baseline, strict=True))
