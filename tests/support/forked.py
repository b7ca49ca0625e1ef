"""Runs `notifyd` in processes that are forked from one that has imported all of it.

A test of what a command prints and how it exits then costs a hundredth of a second, not half a
second. The processes have descriptors, an environment, PYTHONWARNINGS and a directory of their
own. Tests of the start itself, of its signals, of locales and of what /proc shows start a
process of their own.
"""

import atexit
import codecs
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS)}
MOST_BYTES = 1 << 17
"""Of a request."""


class Ended(NamedTuple):
    """returncode: as of subprocess. stdout and stderr: bytes, or text if that was asked for."""

    returncode: int
    stdout: bytes | str
    stderr: bytes | str


class Process:
    """A command that runs; of the methods of `subprocess.Popen` those that tests call.

    descriptors: its stdin, stdout and stderr. uid: of the user it becomes, without groups.
    """

    def __init__(self, words, environ, *descriptors, uid=None):
        self.args = list(map(str, words))
        request = {"words": self.args, "environ": environ, "directory": str(Path.cwd())}
        request["uid"] = uid
        self._report, theirs = _socket_pair()
        with theirs:
            sent = [*descriptors, theirs.fileno()]
            socket.send_fds(_server(), [json.dumps(request).encode()], sent)
        self.pid = int(self._report.recv(20))
        self.returncode = None

    def poll(self):
        """Return the exit status, negative for a signal, or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self._report.recv(20))
            self._report.close()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def run(words, *, environ, stdin=b"", stdout=None, text=False, within=45.0, uid=None):
    """Run a command to its end.

    stdin: bytes for a pipe, None for /dev/null. stdout: a file in the place of what is returned.
    uid: of the user it becomes.
    """
    with ExitStack() as stack:
        given = stack.enter_context(_null() if stdin is None else _pipe(stdin))
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        descriptors = [each.fileno() for each in (given, stdout or out, err)]
        process = Process(words, environ, *descriptors, uid=uid)
        try:
            status = process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"still running after {within} s: {words}") from None
        for file in (out, err):
            file.seek(0)
        printed = [out.read(), err.read()]
        return Ended(status, *(each.decode() if text else each for each in printed))


def _null():
    return open(os.devnull, "rb")  # noqa: PTH123 - the device itself


@contextmanager
def _pipe(data):
    """Yield the reading end of a pipe into which a thread writes."""
    reading, writing = os.pipe()

    def write():
        with suppress(BrokenPipeError), os.fdopen(writing, "wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as file:
        yield file
    writer.join()


def _socket_pair():
    """Return the ends of a connection that keeps messages apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@cache
def _server():
    """Start the process that is forked from; it ends with this one."""
    ours, theirs = _socket_pair()
    server = subprocess.Popen(
        [sys.executable, "-m", "support.forked", str(theirs.fileno())],
        env=ENVIRONMENT,
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()
    atexit.register(server.wait)
    atexit.register(ours.close)
    return ours


def _serve(requests):
    """Fork for each request, and return in the new process with what to run."""
    for module in pkgutil.walk_packages(import_module("notifyd").__path__, "notifyd."):
        if not module.name.endswith(("__main__", "mcp_server")):  # that library takes a second
            import_module(module.name)
    for name in ("utf-8-sig", "idna"):
        codecs.lookup(name)  # another user may be unable to read the interpreter's files
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, 4)
        if not data:
            os._exit(0)
        if os.fork() == 0:
            requests.close()
            return _run(json.loads(data), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _run(request, *descriptors):
    """Fork once more to report pid and status; return in the new process with what to run."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *standard, report = descriptors
    pid = os.fork()
    if pid:
        for descriptor in standard:
            os.close(descriptor)
        os.write(report, b"%d" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(report, b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(report)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["directory"])
    if request["uid"] is not None:
        os.setgroups([])
        os.setgid(request["uid"])
        os.setuid(request["uid"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    if os.environ.get("PYTHONWARNINGS"):
        warnings.simplefilter(os.environ["PYTHONWARNINGS"])
    return request["words"]


if __name__ == "__main__":
    found = _serve(socket.socket(fileno=int(sys.argv[1])))
    main = import_module("notifyd.cli").main
    sys.argv = [import_module("notifyd").__path__[0] + "/__main__.py", *found]
    status = main()
    # The rest of what an interpreter does at its end takes longer than most commands.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)
