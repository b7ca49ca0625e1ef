"""Memory, swap, load and pressure: of the control group where it has limits, else the machine's."""

from notifyd.config.resource_limits import ResourceValue
from notifyd.sources.probes.resources.cgroups import (
    MemoryUse,
    cpu_quota,
    tightest_memory,
    tightest_swap,
)
from notifyd.sources.probes.resources.measurement import (
    KernelFiles,
    MeasureError,
    Measurement,
    available_cpus,
    format_bytes,
    format_percent,
    percent,
    read_table,
    read_text,
)


def measure_memory(files: KernelFiles) -> Measurement:
    table = read_table(files.proc / "meminfo", ":")
    if "MemTotal" not in table or "MemAvailable" not in table:
        raise MeasureError(f"{files.proc}/meminfo does not show how much memory is available")
    total = table["MemTotal"] * 1024
    use = tightest_memory(files, total)
    if use is None:
        use = MemoryUse(total - table["MemAvailable"] * 1024, total)
    return _measurement("memory", use)


def measure_swap(files: KernelFiles) -> Measurement:
    """Measure the swap. Without any, 0% of it is used."""
    table = read_table(files.proc / "meminfo", ":")
    if "SwapTotal" not in table or "SwapFree" not in table:
        raise MeasureError(f"{files.proc}/meminfo does not show how much swap is free")
    total = table["SwapTotal"] * 1024
    if not total:
        return Measurement("swap", "there is none", ResourceValue(0.0))
    use = tightest_swap(files, total) or MemoryUse(total - table["SwapFree"] * 1024, total)
    return _measurement("swap", use)


def _measurement(name: str, use: MemoryUse) -> Measurement:
    used, free = percent(use.used, use.limit), max(use.limit - use.used, 0)
    text = f"{format_percent(used)} used, {format_bytes(free)} free"
    return Measurement(name, text, ResourceValue(used, used=use.used, free=free))


def measure_load(files: KernelFiles) -> Measurement:
    """Measure the average of the last minute."""
    words = (read_text(files.proc / "loadavg") or "").split()
    try:
        load = float(words[0])
    except (IndexError, ValueError):
        raise MeasureError(f"{files.proc}/loadavg does not show the load") from None
    cpus = cpu_quota(files) or float(available_cpus())
    text = f"{load:.1f} on {cpus:g} CPU{'s' if cpus != 1 else ''}"
    return Measurement("load", text, ResourceValue(load, percent=percent(load, cpus)))


def measure_pressure(files: KernelFiles, kind: str) -> Measurement:
    """Measure the share of the last ten seconds in which some task waited. kind: cpu, memory, io.

    That of the container where there is one, else the machine's.
    """
    places = (files.cgroup / f"{kind}.pressure", files.proc / "pressure" / kind)
    text = next(filter(None, map(read_text, places)), None)
    if text is None:
        raise MeasureError(
            f"the kernel shows no {places[1]}: it needs CONFIG_PSI, and psi=1 on its command line"
        )
    averages = dict(word.split("=", 1) for word in text.splitlines()[0].split()[1:] if "=" in word)
    try:
        share = float(averages["avg10"])
    except (KeyError, ValueError):
        raise MeasureError(f"{places[1]} has no avg10") from None
    waiting = f"tasks waited {format_percent(share)} of the last 10s"
    return Measurement(f"{kind} pressure", waiting, ResourceValue(share))
