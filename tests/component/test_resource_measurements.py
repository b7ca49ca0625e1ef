"""What is measured: of a control group where it has a limit, else of the machine; who uses most."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.sources.probes.resources import disk, gpu, system
from notifyd.sources.probes.resources.cgroups import oom_kills
from notifyd.sources.probes.resources.largest_directories import (
    DirectorySizes,
    largest_directories,
)
from notifyd.sources.probes.resources.largest_processes import largest_processes
from notifyd.sources.probes.resources.measurement import KernelFiles, MeasureError, format_bytes
from support import gpus
from support.daemon import wait_for
from support.machine import GIB, Machine


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


def text(measured):
    return f"{measured.name}: {measured.text}"


def test_memory_of_the_machine(machine):
    assert text(system.measure_memory(machine.files)) == "memory: 50% used, 8.0 GiB free"


def test_the_limit_of_a_container_comes_before_the_machine(machine):
    machine.group("", 4 * GIB, 3 * GIB, cache=GIB)
    assert text(system.measure_memory(machine.files)) == "memory: 50% used, 2.0 GiB free"


def test_a_group_without_a_limit_or_with_more_than_there_is_counts_for_nothing(machine):
    machine.group("", "max", 3 * GIB)
    assert system.measure_memory(machine.files).value.value == 50
    machine.group("", 64 * GIB, 3 * GIB)
    assert system.measure_memory(machine.files).value.value == 50


def test_the_fullest_group_above_counts_and_not_that_of_notifyds_own_service(machine):
    machine.write("proc/self/cgroup", "0::/work.slice/notifyd.service\n")
    machine.group("work.slice", 8 * GIB, 6 * GIB)
    machine.group("work.slice/notifyd.service", GIB, GIB)
    assert text(system.measure_memory(machine.files)) == "memory: 75% used, 2.0 GiB free"


def test_control_groups_of_the_first_version(machine):
    machine.write("proc/self/cgroup", "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n")
    folder = "sys/fs/cgroup/memory"
    machine.write(f"{folder}/memory.limit_in_bytes", f"{2 * GIB}\n")
    machine.write(f"{folder}/memory.usage_in_bytes", f"{2 * GIB}\n")
    machine.write(f"{folder}/memory.stat", f"cache 1\ntotal_inactive_file {GIB}\n")
    machine.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n")
    machine.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert text(system.measure_memory(machine.files)) == "memory: 50% used, 1.0 GiB free"
    assert text(system.measure_load(machine.files)) == "load: 0.5 on 1.5 CPUs"


def test_a_group_that_is_outside_of_what_is_visible_is_not_looked_for(machine):
    machine.write("proc/self/cgroup", "0::/../../other\n")
    assert system.measure_memory(machine.files).value.value == 50


def test_swap_of_the_machine_of_a_group_and_none(machine):
    assert text(system.measure_swap(machine.files)) == "swap: there is none"
    machine.memory(16 * GIB, 8 * GIB, 4 * GIB, GIB)
    assert text(system.measure_swap(machine.files)) == "swap: 75% used, 1.0 GiB free"
    machine.write("sys/fs/cgroup/memory.swap.max", f"{GIB}\n")
    machine.write("sys/fs/cgroup/memory.swap.current", f"{GIB // 2}\n")
    assert text(system.measure_swap(machine.files)) == "swap: 50% used, 512 MiB free"


def test_load_is_seen_beside_the_cpus_that_a_group_allows(machine):
    machine.write("sys/fs/cgroup/cpu.max", "50000 100000\n")
    measured = system.measure_load(machine.files)
    assert (text(measured), measured.value.percent) == ("load: 0.5 on 0.5 CPUs", 100)
    machine.write("sys/fs/cgroup/cpu.max", "max 100000\n")
    assert system.measure_load(machine.files).value.percent == 50 / len(os.sched_getaffinity(0))


def test_pressure_of_a_container_comes_before_the_machine(machine):
    line = "some avg10={} avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 total=0\n"
    machine.write("proc/pressure/io", line.format("12.50"))
    expected = "io pressure: tasks waited 12% of the last 10s"
    assert text(system.measure_pressure(machine.files, "io")) == expected
    machine.write("sys/fs/cgroup/io.pressure", line.format("60.00"))
    assert system.measure_pressure(machine.files, "io").value.value == 60


def test_a_kernel_without_pressure_is_one_sentence(machine):
    with pytest.raises(MeasureError, match="CONFIG_PSI"):
        system.measure_pressure(machine.files, "memory")


def test_kills_of_a_container_come_before_those_of_the_machine(machine):
    machine.write("proc/vmstat", "oom_kill 7\n")
    assert oom_kills(machine.files) == 7
    folder = "sys/fs/cgroup/memory"
    machine.write(f"{folder}/memory.limit_in_bytes", f"{64 * GIB}\n")
    machine.write(f"{folder}/memory.oom_control", "under_oom 0\noom_kill 1\n")
    assert oom_kills(machine.files) == 7
    machine.write(f"{folder}/memory.limit_in_bytes", f"{GIB}\n")
    assert oom_kills(machine.files) == 1
    machine.write("sys/fs/cgroup/memory.events", "low 0\noom 3\noom_kill 2\n")
    assert oom_kills(machine.files) == 2


@pytest.mark.parametrize(
    "measure",
    [
        system.measure_memory,
        system.measure_swap,
        system.measure_load,
        lambda _: disk.measure_disk(Path("/")),
        lambda _: disk.measure_inodes(Path("/")),
    ],
)
def test_this_machine_can_be_measured(measure):
    measured = measure(KernelFiles())
    assert measured.value.value >= 0
    assert measured.text


def test_a_path_that_is_missing_is_one_sentence(tmp_path):
    with pytest.raises(MeasureError, match=r"gone: No such file or directory$"):
        disk.measure_disk(tmp_path / "gone")


def test_the_largest_processes_are_named_with_their_script(machine):
    machine.process(41, ["/usr/bin/python3", "-u", "-W", "error", "/srv/train.py", "--x"], 1000)
    machine.process(42, ["node", "server.js"], 500, swapped_kib=2048)
    machine.process(43, ["sh", "-c", "while :; do :; done"], 9000)
    page = os.sysconf("SC_PAGE_SIZE")
    assert largest_processes(machine.files, "memory") == [
        f"sh (pid 43): {format_bytes(9000 * page)}",
        f"python3 train.py (pid 41): {format_bytes(1000 * page)}",
        f"node server.js (pid 42): {format_bytes(500 * page)}",
    ]
    assert largest_processes(machine.files, "swap") == ["node server.js (pid 42): 2 MiB"]


def test_a_name_cannot_add_lines_to_the_body(machine, tmp_path):
    machine.process(44, ["/tmp/a\nlimit: none"], 10)
    (line,) = largest_processes(machine.files, "memory")
    fill(tmp_path / "disk/a\nb/x", 4)
    (folder,) = largest_directories(tmp_path / "disk")
    assert "\n" not in line + folder


def test_who_computes_is_found_on_this_machine():
    spin = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen(["python3", "-c", spin], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout.readline()
            found = wait_for(partial(largest_processes, KernelFiles(), "load"))
        finally:
            busy.kill()
    assert all(line.endswith(" CPUs") for line in found)
    assert len(found) <= 5


def fill(path, kib):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(kib * 1024))


def test_the_largest_directories_are_shown_by_their_largest_part(tmp_path):
    fill(tmp_path / "var/log/app/a.log", 400)
    fill(tmp_path / "var/log/app/b.log", 400)
    fill(tmp_path / "home/a/x", 100)
    fill(tmp_path / "home/b/x", 100)
    fill(tmp_path / "dump", 300)
    (tmp_path / "link").symlink_to("/usr")
    os.link(tmp_path / "dump", tmp_path / "home/a/dump")
    top = os.path.realpath(tmp_path)
    found = [path.removeprefix(top) for path, _ in DirectorySizes(tmp_path).largest()]
    assert found[0] == "/var/log/app"
    assert set(found[1:]) <= {"/dump", "/home", "/home/a"}
    assert sum(size for _, size in DirectorySizes(tmp_path).largest()) < 1700 * 1024
    for number in range(30):
        (tmp_path / f"home/b/{number}").touch()
    assert largest_directories(tmp_path, count=True)[0] == f"{top}/home/b: 32 files"


def test_a_walk_that_is_cut_short_says_so(tmp_path):
    for number in range(20):
        fill(tmp_path / f"{number}/x", 4)
    assert not DirectorySizes(tmp_path, most=10).is_complete
    assert DirectorySizes(tmp_path).is_complete


def mount(*command):
    return subprocess.run(command, check=False, capture_output=True).returncode


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MiB; skipped where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=100", "tmpfs", str(folder)]
    if shutil.which("mount") is None or mount(*command):
        pytest.skip("only root can mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_file_system_fills(small_disk):
    assert disk.measure_disk(small_disk).value.value == 0
    fill(small_disk / "logs/a.log", 12 << 10)
    measured = disk.measure_disk(small_disk)
    assert text(measured) == f"disk {small_disk}: 75% used, 4 MiB free"
    assert largest_directories(small_disk) == [f"{small_disk}/logs: 12 MiB"]
    for number in range(70):
        (small_disk / f"logs/{number}").touch()
    assert disk.measure_inodes(small_disk).value.value > 70


def test_a_mount_below_is_not_crossed(small_disk):
    fill(small_disk / "big", 8 << 10)
    assert largest_directories(small_disk.parent) == []


@pytest.mark.parametrize("resource", ["gpu-utilization", "gpu-memory", "gpu-temperature"])
def test_without_a_gpu_there_is_one_sentence(resource):
    config = ResourceTriggerConfig.model_validate({"resource": resource, "warning": 80})
    with pytest.raises(MeasureError, match=r"nvidia-ml-py|NVIDIA driver") as failure:
        partial(gpu.measure_gpu, config)()
    assert "\n" not in str(failure.value)


def test_of_several_gpus_the_one_nearest_to_the_limit_is_shown_with_its_processes(tmp_path):
    pytest.importorskip("pynvml")
    idle, busy, full, hot = gpus.measure(
        tmp_path,
        {"resource": "gpu-utilization", "warning": "< 5%"},
        {"resource": "gpu-utilization", "warning": "90%"},
        {"resource": "gpu-memory", "warning": "25GiB free"},
        {"resource": "gpu-temperature", "warning": 80},
    )
    assert idle[0] == "GPU 1: 3% busy"
    assert busy[0] == "GPU 0: 97% busy"
    assert full[0] == "GPU 0 memory: 75% used, 20.0 GiB free"
    assert hot[0] == "GPU 0: 84 °C"
    (line,) = full[1]
    assert line.endswith(f"(pid {os.getpid()}): 59.0 GiB")


def test_without_the_library_check_and_status_name_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if it were not installed
    config = ResourceTriggerConfig.model_validate({"resource": "gpu-memory", "warning": "90%"})
    with pytest.raises(MeasureError, match=r"^the Python package nvidia-ml-py is not installed"):
        gpu.measure_gpu(config)
    assert gpu.missing_library().startswith("the Python package nvidia-ml-py is not installed")


def test_a_gpu_that_fails_is_one_sentence(tmp_path):
    pytest.importorskip("pynvml")
    ((line, _),) = gpus.measure(tmp_path, {"resource": "gpu-temperature", "warning": 80}, lost=True)
    assert line == "the NVIDIA driver does not answer: GPU is lost"
