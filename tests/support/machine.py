"""A machine of our own: a folder in place of /proc and /sys/fs/cgroup."""

from pathlib import Path

from notifyd.sources.probes.resources.measurement import KernelFiles

GIB = 1 << 30


class Machine:
    """files: for what measures. Memory and swap are in bytes, `load` is the load."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = KernelFiles(root)
        self.memory(16 * GIB, 8 * GIB)
        self.write("proc/loadavg", "0.50 0.40 0.30 1/100 4242\n")
        self.write("proc/vmstat", "nr_free_pages 5\noom_kill 0\n")
        self.write("proc/self/cgroup", "0::/\n")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.new")
        fresh.write_text(text)
        fresh.replace(file)  # never seen half written

    def memory(self, total: int, available: int, swap: int = 0, swap_free: int = 0) -> None:
        self.write(
            "proc/meminfo",
            f"MemTotal:       {total // 1024} kB\nMemFree:        1 kB\n"
            f"MemAvailable:   {available // 1024} kB\n"
            f"SwapTotal:      {swap // 1024} kB\nSwapFree:       {swap_free // 1024} kB\n",
        )

    def group(self, name: str, limit: int | str, used: int, cache: int = 0) -> None:
        """Write a control group of the second version."""
        folder = f"sys/fs/cgroup/{name}"
        self.write(f"{folder}/memory.max", f"{limit}\n")
        self.write(f"{folder}/memory.current", f"{used}\n")
        self.write(f"{folder}/memory.stat", f"anon 5\ninactive_file {cache}\n")

    def process(self, pid: int, arguments: list[str], pages: int, swapped_kib: int = 0) -> None:
        self.write(f"proc/{pid}/cmdline", "\0".join(arguments) + "\0")
        self.write(f"proc/{pid}/statm", f"{pages * 2} {pages} 0 0 0 0 0\n")
        self.write(f"proc/{pid}/status", f"Name:\tx\nVmSwap:\t{swapped_kib} kB\n")
