"""GPUs through NVIDIA's management library, by the optional package nvidia-ml-py."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import NamedTuple

from notifyd.config.resource_limits import ResourceValue
from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.sources.probes.resources.measurement import (
    MeasureError,
    Measurement,
    format_bytes,
    format_percent,
    percent,
)

_MISSING = (
    "the Python package nvidia-ml-py is not installed: install notifyd with its extra, "
    '"workspace-notifyd[gpu]"'
)


class GpuProcess(NamedTuple):
    """memory: bytes on the GPU; 0 if the driver does not say."""

    pid: int
    memory: int


def missing_library() -> str:
    """Say that the library is not installed; empty if it is."""
    return "" if find_spec("pynvml") else _MISSING


def measure_gpu(config: ResourceTriggerConfig) -> Measurement:
    """Measure all GPUs; return the one that is nearest to the limits, or furthest beyond."""
    first = next(limit for limit in config.limits if limit is not None)
    with _library() as nvml:
        measured = [
            _MEASURES[config.resource](nvml, _handle(nvml, index), index)
            for index in range(nvml.nvmlDeviceGetCount())
        ]
    if not measured:
        raise MeasureError("the NVIDIA driver shows no GPU")
    choose = min if first.is_floor and not first.of else max
    return choose(measured, key=lambda each: each.value.value)


def gpu_processes() -> list[GpuProcess]:
    """List the processes that compute on any GPU."""
    found: dict[int, int] = {}
    with _library() as nvml:
        for index in range(nvml.nvmlDeviceGetCount()):
            for process in nvml.nvmlDeviceGetComputeRunningProcesses(_handle(nvml, index)):
                found[process.pid] = found.get(process.pid, 0) + (process.usedGpuMemory or 0)
    return [GpuProcess(pid, memory) for pid, memory in found.items()]


@contextmanager
def _library() -> Iterator[ModuleType]:
    """Yield the library, ready for use; whatever fails in it is a MeasureError."""
    try:
        import pynvml  # noqa: PLC0415 - optional, and only these triggers need it
    except ImportError:
        raise MeasureError(_MISSING) from None
    try:
        pynvml.nvmlInit()
        try:
            yield pynvml
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise MeasureError(f"the NVIDIA driver does not answer: {error}") from None


def _handle(nvml: ModuleType, index: int) -> object:
    return nvml.nvmlDeviceGetHandleByIndex(index)


def _utilization(nvml: ModuleType, handle: object, index: int) -> Measurement:
    share = float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    return Measurement(f"GPU {index}", f"{format_percent(share)} busy", ResourceValue(share))


def _memory(nvml: ModuleType, handle: object, index: int) -> Measurement:
    found = nvml.nvmlDeviceGetMemoryInfo(handle)
    share = percent(found.used, found.total)
    text = f"{format_percent(share)} used, {format_bytes(found.free)} free"
    value = ResourceValue(share, used=found.used, free=found.free)
    return Measurement(f"GPU {index} memory", text, value)


def _temperature(nvml: ModuleType, handle: object, index: int) -> Measurement:
    degrees = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
    return Measurement(f"GPU {index}", f"{degrees} °C", ResourceValue(float(degrees)))


_MEASURES: dict[str, Callable[[ModuleType, object, int], Measurement]] = {
    "gpu-utilization": _utilization,
    "gpu-memory": _memory,
    "gpu-temperature": _temperature,
}
