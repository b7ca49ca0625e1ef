"""Two GPUs that are not there: a library in place of the one of NVIDIA's driver."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = """
typedef unsigned int u; typedef unsigned long long ull;
typedef struct { u gpu, memory; } rates;
typedef struct { ull total, free, used; } memory;
typedef struct { u pid; ull used; u gpu, compute; } process;
int nvmlInitWithFlags(u flags) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int error) { return "GPU is lost"; }
int nvmlDeviceGetCount_v2(u *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(u index, void **handle) {
  *handle = (void *)(ull)(index + 1); return 0;
}
static int is_second(void *handle) { return handle == (void *)2; }
int nvmlDeviceGetUtilizationRates(void *handle, rates *found) {
  found->gpu = is_second(handle) ? 3 : 97; found->memory = 0; return 0;
}
int nvmlDeviceGetMemoryInfo(void *handle, memory *found) {
  found->total = 80ull << 30; found->used = is_second(handle) ? 1ull << 30 : 60ull << 30;
  found->free = found->total - found->used; return 0;
}
int nvmlDeviceGetTemperature(void *handle, u sensor, u *degrees) {
  if (LOST) return 15;
  *degrees = is_second(handle) ? 41 : 84; return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, u *count, process *found) {
  if (is_second(handle)) { *count = 0; return 0; }
  if (*count < 1) { *count = 1; return 7; }
  *count = 1; found[0].pid = PID; found[0].used = 59ull << 30; return 0;
}
"""
_SCRIPT = """
import json, sys
from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.sources.probes.resources.gpu import measure_gpu
from notifyd.sources.probes.resources.largest_processes import largest_processes
from notifyd.sources.probes.resources.measurement import KernelFiles, MeasureError
for keys in json.loads(sys.argv[1]):
    config = ResourceTriggerConfig.model_validate(keys)
    try:
        found = measure_gpu(config)
        line = f"{found.name}: {found.text}"
    except MeasureError as error:
        line = str(error)
    print(json.dumps([line, largest_processes(KernelFiles(), config.resource)]))
"""


def measure(folder: Path, *triggers: dict[str, object], lost: bool = False) -> list[list[object]]:
    """Measure triggers in a process that has the GPUs; skipped without a compiler.

    Returns what each says and its largest processes. lost: the temperature cannot be read.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is needed for GPUs that are not there")
    source, library = folder / "nvml.c", folder / "libnvidia-ml.so.1"
    source.write_text(_SOURCE)
    options = ["-shared", "-fPIC", f"-DPID={os.getpid()}", f"-DLOST={int(lost)}"]
    subprocess.run([compiler, *options, "-o", library, source], check=True)
    output = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(triggers)],
        env=os.environ | {"LD_LIBRARY_PATH": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [json.loads(line) for line in output.splitlines()]
