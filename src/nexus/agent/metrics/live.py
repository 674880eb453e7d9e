"""A sample as who watches a machine gets it, from a reading and what was used since the one before. Pure."""

from nexus.agent.metrics.usage import Reading, Usage
from nexus.protocol.machines import HostSideMetrics
from nexus.protocol.metrics import MachineMetrics, Source


def sample(reading: Reading, usage: Usage | None) -> MachineMetrics:
    """Figures and their sources; `usage` None: nothing is known of the time before."""
    used, total, memory_source = reading.memory
    known: dict[str, tuple[float | int, Source]] = {
        "memory_usage_percent": (round(100 * used / total, 2) if total else 0.0, memory_source),
        "memory_used_kb": (used, memory_source),
        "memory_total_kb": (total, memory_source),
        "disk_read_bytes": (reading.disk_read_bytes, Source.HOST),
        "disk_write_bytes": (reading.disk_write_bytes, Source.HOST),
    }
    net_source = reading.net_source
    if reading.traffic is not None and net_source is not None:
        known["network_in_bytes"] = (reading.traffic[0], net_source)
        known["network_out_bytes"] = (reading.traffic[1], net_source)
    if usage is not None:
        known["cpu_usage_percent"] = (usage.cpu_percent, usage.cpu_source)
        known |= _rates(usage, net_source)
    return MachineMetrics.model_validate(
        {
            "at": reading.at,
            "host": _host_side(reading, usage),
            "guest": reading.guest,
            "sources": {name: source for name, (_, source) in known.items()},
            **{name: value for name, (value, _) in known.items()},
        }
    )


def _rates(usage: Usage, net_source: Source | None) -> dict[str, tuple[float, Source]]:
    rates: dict[str, tuple[float, Source]] = {}
    if usage.net is not None and net_source is not None:
        rates["network_in_bytes_per_s"] = (round(usage.net[0] / usage.span_s, 1), net_source)
        rates["network_out_bytes_per_s"] = (round(usage.net[1] / usage.span_s, 1), net_source)
    if usage.disk is not None:
        rates["disk_read_bytes_per_s"] = (round(usage.disk[0] / usage.span_s, 1), Source.HOST)
        rates["disk_write_bytes_per_s"] = (round(usage.disk[1] / usage.span_s, 1), Source.HOST)
    return rates


def _host_side(reading: Reading, usage: Usage | None) -> HostSideMetrics:
    return HostSideMetrics(
        cpu_seconds=reading.cpu_s,
        cpu_percent=usage.vmm_cpu_percent if usage is not None else None,
        memory_rss_kib=reading.rss_kib,
        disk_read_bytes=reading.disk_read_bytes,
        disk_written_bytes=reading.disk_write_bytes,
        net_received_bytes=reading.net_in_bytes,
        net_sent_bytes=reading.net_out_bytes,
    )
