"""The environment of commands: what every program needs, and nothing that was meant for us."""

import os
import pwd
from collections.abc import Mapping
from typing import Final

_KEPT: Final = frozenset(
    {
        *("PATH", "LD_LIBRARY_PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"),
        *("LANG", "LANGUAGE", "TZ", "XDG_RUNTIME_DIR"),
    }
)
_KEPT_PREFIX: Final = "LC_"


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that commands get: where programs are, the user, language and time.

    Whatever else is in `environ` stays with the daemon: tokens, credentials, and what a service
    manager passes, such as NOTIFY_SOCKET and LISTEN_FDS.
    """
    env = {
        name: value
        for name, value in environ.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIX)
    }
    env.setdefault("PATH", os.defpath)
    try:
        user = pwd.getpwuid(os.getuid())
    except KeyError:  # a container may run as a user without an entry
        return env
    defaults = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
    return defaults | env
