"""The standard streams of a command, copied through pipes or a pseudo-terminal."""

import fcntl
import os
import select
import sys
import termios
import threading
import tty
from contextlib import suppress

from notifyd.cli.message_end import clip_start

_CHUNK = 1 << 16
_KEPT = 64 << 10
"""Bytes at the end of the output that are kept."""


class OutputTail:
    """The end of everything that was printed, in the order in which it was read."""

    def __init__(self) -> None:
        self._lock, self._bytes, self._is_cut = threading.Lock(), bytearray(), False

    def add(self, chunk: bytes) -> None:
        with self._lock:
            self._bytes += chunk
            if len(self._bytes) > 2 * _KEPT:
                del self._bytes[:-_KEPT]
                self._is_cut = True

    def text(self) -> str:
        with self._lock:
            kept = bytes(self._bytes)
        return clip_start(kept) if self._is_cut else kept.decode("utf-8", "replace")


class OutputCopier(threading.Thread):
    """Copies what the command prints until its end, and closes `source` when nobody reads it."""

    def __init__(self, source: int, sink: int, tail: OutputTail) -> None:
        super().__init__(daemon=True)
        self._source, self._sink, self._tail = source, sink, tail
        self._is_busy = False
        self._copied, self._end = 0, float("inf")

    def run(self) -> None:
        readable = select.poll()
        readable.register(self._source, select.POLLIN)
        try:
            while True:
                readable.poll()
                self._is_busy = True
                chunk = os.read(self._source, _CHUNK)
                if not chunk:
                    return
                self._tail.add(chunk)
                _write_all(self._sink, chunk)
                self._copied += len(chunk)
                self._is_busy = False
        except OSError:  # the terminal is closed, or nobody reads what is written
            return
        finally:
            os.close(self._source)  # the command gets SIGPIPE, as it would without this

    def ignore_later_output(self) -> None:
        """Let `has_more` see only what has been printed so far: the command has ended."""
        with suppress(OSError):
            size = fcntl.ioctl(self._source, termios.FIONREAD, b"\0" * 4)
            left = int.from_bytes(size, sys.byteorder)
            if self._is_busy or os.isatty(self._source):  # what is in this thread or the kernel's
                left += _CHUNK
            self._end = self._copied + left

    def has_more(self) -> bool:
        """Whether something is left to copy. It is in the pipe first, then in this thread."""
        if self._copied >= self._end:
            return False
        with suppress(OSError, ValueError):
            if select.select([self._source], [], [], 0)[0]:
                return self.is_alive()
        return self._is_busy and self.is_alive()


class Keyboard(threading.Thread):
    """Copies what is typed at a raw terminal to the command's, until `stop`."""

    def __init__(self, master: int) -> None:
        super().__init__(daemon=True)
        self._master = master
        self._stopped, self._stop = os.pipe()
        self._before = termios.tcgetattr(0)
        tty.setraw(0, termios.TCSADRAIN)

    def run(self) -> None:
        with suppress(OSError):
            while True:
                ready, _, _ = select.select([0, self._stopped], [], [])
                if self._stopped in ready or not (typed := os.read(0, _CHUNK)):
                    return
                _write_all(self._master, typed)

    def stop(self) -> None:
        """Give the terminal back as it was."""
        os.write(self._stop, b"x")
        with suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)


class CommandStreams:
    """The command's standard streams.

    actions: for posix_spawn. copies: what is read and where it goes. master: of the
    pseudo-terminal, if there is one; slave: its other end. terminal: the real one. is_interactive:
    whether the command gets a session of its own with the pseudo-terminal.
    """

    def __init__(self) -> None:
        self.actions: list[tuple[object, ...]] = []
        self.copies: list[tuple[int, int]] = []
        self.to_close: list[int] = []
        self.terminal = next((fd for fd in (1, 2) if os.isatty(fd)), None)
        self.master, self.slave = -1, -1
        self.is_interactive = os.isatty(0) and os.isatty(1) and _is_foreground()
        if self.terminal is not None:
            self._open_terminal(self.terminal)
        pipe_of: dict[tuple[int, int], int] = {}
        for fd in (1, 2):
            if os.isatty(fd):
                end = 0 if self.is_interactive else self.slave
                self.actions.append((os.POSIX_SPAWN_DUP2, end, fd))
                continue
            status = os.fstat(fd)
            place = status.st_dev, status.st_ino
            if place not in pipe_of:
                source, pipe_of[place] = os.pipe()
                self.copies.append((source, fd))
                self.to_close.append(pipe_of[place])
            self.actions.append((os.POSIX_SPAWN_DUP2, pipe_of[place], fd))

    def _open_terminal(self, terminal: int) -> None:
        self.master, self.slave = os.openpty()
        self.to_close.append(self.slave)
        self.copies.append((os.dup(self.master), terminal))
        attributes = termios.tcgetattr(terminal)
        if self.is_interactive:
            opened = (os.POSIX_SPAWN_OPEN, 0, os.ttyname(self.slave), os.O_RDWR, 0)
            self.actions.append(opened)
        else:
            attributes[1] &= ~termios.OPOST  # the real terminal does that
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self.copy_size()

    def copy_size(self) -> None:
        """Give the command's terminal the size of the real one."""
        if self.terminal is not None:
            with suppress(OSError):
                size = fcntl.ioctl(self.terminal, termios.TIOCGWINSZ, b"\0" * 8)
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def close_ends(self) -> None:
        """Close the command's ends, which it has now."""
        for fd in self.to_close:
            os.close(fd)


def _is_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
