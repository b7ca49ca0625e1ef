"""The programs of systemd that an installation runs."""

import subprocess
from pathlib import Path

from notifyd.service.errors import ServiceError

_RUNNING = Path("/run/systemd/system")


def require_systemd() -> None:
    """Raise ServiceError if this machine was not booted with systemd."""
    if not _RUNNING.is_dir():
        raise ServiceError(
            "systemd does not run here, so it cannot run the service; start `notifyd run` with "
            "whatever starts programs here"
        )


class Systemctl:
    """`systemctl` of the system, or of the user who runs this."""

    def __init__(self, *, is_user: bool, within: float | None = None) -> None:
        """within: seconds for each command."""
        self._within = within
        self._words = ["systemctl", "--user"] if is_user else ["systemctl"]
        self._is_user = is_user

    @property
    def command(self) -> str:
        """What a person types."""
        return " ".join(self._words)

    def run(self, *words: str) -> str:
        """Run a command and return its output. Raise ServiceError if it fails."""
        try:
            return run_program(*self._words, *words, within=self._within)
        except ServiceError as error:
            if self._is_user and "connect to bus" in str(error):
                raise ServiceError(
                    "the user's service manager does not answer; log in again (`su` is not "
                    "enough), or as root: `loginctl enable-linger` for this user, and set "
                    "XDG_RUNTIME_DIR"
                ) from None
            raise

    def state(self, unit: str) -> str:
        """Return the ActiveState of a unit: active, inactive, failed, …; empty if unknown."""
        try:
            return self.run("show", "--property=ActiveState", "--value", unit).strip()
        except ServiceError:
            return ""


def run_program(*words: str, within: float | None = None) -> str:
    """Run a program and return its output. Raise ServiceError with what it said if it fails.

    within: seconds after which it is killed and has failed.
    """
    try:
        done = subprocess.run(  # noqa: S603 - no shell reads the words
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
        )
    except OSError as error:
        raise ServiceError(f"cannot run {words[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ServiceError(f"`{' '.join(words)}` did not end within {within:g} s") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        reason = said or f"exit status {done.returncode}"
        raise ServiceError(f"`{' '.join(words)}` failed: {reason}")
    return done.stdout
