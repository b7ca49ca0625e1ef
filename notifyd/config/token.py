"""Where the send token comes from, and reading it without ever showing it."""

import os
import stat
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from notifyd.config.files import without_waiting
from notifyd.config.sections import ApiConfig
from notifyd.model.errors import TokenError
from notifyd.model.user import effective_user

VARIABLES = ("NOTIFYD_SEND_TOKEN", "OBLIEN_SEND_TOKEN", "SEND_TOKEN")
CREDENTIAL = "send-token"

_LONGEST = 8192
_HOW = (
    "put it into a file and name that with token_file in [api], "
    "pass the systemd credential send-token, or set NOTIFYD_SEND_TOKEN in the environment"
)


@dataclass(frozen=True, slots=True)
class TokenSource:
    """The place that holds the send token: `path` is set where it is a file, and may change.

    name: that place in plain words, for status and errors.
    """

    name: str
    path: Path | None = None
    value: SecretStr | None = field(default=None, repr=False)

    def read(self) -> SecretStr:
        """Read the token as it is now; TokenError says in one sentence what to do."""
        if self.path:
            text = _content(self.path, self.name)
        elif self.value:
            text = self.value.get_secret_value()
        else:
            raise TokenError(f"there is no send token: {_HOW}")
        token = text.strip()
        if not token:
            raise TokenError(f"the send token is empty in {self.name}: write it there")
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise TokenError(
                f"the send token in {self.name} has characters that no token has "
                "(spaces, line breaks or others): write the token there and nothing else"
            )
        return SecretStr(token)

    @property
    def warning(self) -> str:
        """Say whether others can read the file; empty where all is well."""
        try:
            mode = self.path.stat().st_mode if self.path else 0
        except OSError:
            return ""
        if mode & stat.S_IROTH:
            return f"every user can read the send token in {self.path}: chmod 600 {self.path}"
        return ""


def find_token(api: ApiConfig, environ: Mapping[str, str]) -> TokenSource:
    """Tell where the token comes from: token_file, the credential, then the environment."""
    if api.token_file:
        return TokenSource(f"the file {api.token_file} (token_file in [api])", path=api.token_file)
    if folder := environ.get("CREDENTIALS_DIRECTORY"):
        path = Path(folder) / CREDENTIAL
        if path.exists():
            return TokenSource(f"the systemd credential {CREDENTIAL}", path=path)
    for name in VARIABLES:
        if environ.get(name):
            return TokenSource(f"the variable {name}", value=SecretStr(environ[name]))
    return TokenSource("no place")


def forget(environ: MutableMapping[str, str]) -> None:
    """Take the token out of the environment, so that no child process inherits it."""
    for name in VARIABLES:
        environ.pop(name, None)


def _mend(path: Path, error: OSError) -> str:
    user = effective_user()
    if isinstance(error, FileNotFoundError):
        return f"write it there, in a file that only the user {user} can read"
    if isinstance(error, PermissionError):
        return f"let the user {user} read it: run chown {user} {path} as root"
    return "mend that, or name another file"


def _content(path: Path, name: str) -> str:
    try:
        with open(path, "rb", opener=without_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise TokenError(f"the send token cannot be read: {name} is no regular file")
            content = stream.read(_LONGEST + 1)
    except OSError as error:
        raise TokenError(
            f"the send token cannot be read from {name}: {error.strerror}; {_mend(path, error)}"
        ) from None
    if len(content) > _LONGEST:
        raise TokenError(f"the send token cannot be read: {name} is too large to be a token")
    return content.decode("utf-8", "replace")
