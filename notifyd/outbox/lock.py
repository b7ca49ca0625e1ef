"""One daemon per state directory."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from notifyd.model.errors import InUseError, StoreError


def lock_folder(folder: Path) -> int:
    """Make the folder if need be and lock it; the descriptor holds the lock until closed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"cannot use the state directory {folder}: {error.strerror}; "
            "set [state] dir to one that this user may write"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise InUseError(
            f"notifyd already runs with the state directory {folder} (pid {holder}); "
            "stop it first or set [state] dir to another"
        ) from error
    with suppress(OSError):  # a full disk: who holds it is a courtesy
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    return lock
