"""Finds and reads the send token without ever showing it."""

import os
import stat
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import SecretStr

from notifyd.config.files import SYSTEM_DIR, config_dir, open_nonblocking, replace_file
from notifyd.config.sections import ApiConfig, ListenConfig, WebhooksConfig
from notifyd.model.errors import ConfigError, NoTokenError, TokenError
from notifyd.model.ownership import describe_untrusted, is_untrusted_refused
from notifyd.model.user import effective_user

VARIABLES = ("NOTIFYD_SEND_TOKEN", "OBLIEN_SEND_TOKEN", "SEND_TOKEN")
CREDENTIAL = "send-token"

_CREDENTIAL_NAME = f"the systemd credential {CREDENTIAL} (usually from {SYSTEM_DIR / CREDENTIAL})"
_MAX_LENGTH = 8192
_BOM = "\ufeff"
"""The byte order mark that some editors write at the beginning of a file."""


def _how_to_set(path: Path) -> str:
    return (
        f"write it to {path} (`notifyd token create --save` does), set `token_file` in [api] to "
        "another file, or set the environment variable NOTIFYD_SEND_TOKEN"
    )


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where the send token comes from: a file, which may change, or a fixed value.

    name: the source in plain words, for status and errors. awaited: there is no token yet, and
    `path` is where it is expected. kind: what errors call it.
    """

    name: str
    path: Path | None = None
    value: SecretStr | None = field(default=None, repr=False)
    awaited: bool = False
    kind: str = "send token"

    def read(self) -> SecretStr:
        """Return the current token. Raise TokenError with the reason and how to fix it."""
        if self.awaited and self.path and not os.path.lexists(self.path):
            raise NoTokenError(f"there is no send token: {_how_to_set(self.path)}")
        if self.path:
            text = self._read_file(self.path)
        elif self.value:
            text = self.value.get_secret_value()
        else:
            raise NoTokenError("there is no send token")
        token = text.removeprefix(_BOM).strip()
        if not token:
            raise NoTokenError(f"the {self.kind} in {self.name} is empty: write it there")
        return SecretStr(check_token(token, f"{self.kind} in {self.name}"))

    @property
    def absence(self) -> str:
        """Why there is no token yet, and how to set it; empty if there is one. TokenError."""
        try:
            self.read()
        except NoTokenError as error:
            return str(error)
        return ""

    @property
    def warning(self) -> str:
        """Warn if other users can read or change the file; empty if there is nothing to warn of."""
        if self.path is None:
            return ""
        try:
            status = self.path.stat()
        except OSError:
            return ""
        if problem := describe_untrusted(self.path, status):
            return f"the file of the {self.kind} is not safe: {problem}"
        mode = status.st_mode
        if mode & stat.S_IROTH:
            return f"every user can read the {self.kind} in {self.path}: chmod 600 {self.path}"
        return ""

    def _read_file(self, path: Path) -> str:
        failure = f"cannot read the {self.kind}"
        try:
            with open(path, "rb", opener=open_nonblocking) as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise TokenError(f"{failure}: {self.name} is not a regular file")
                problem = describe_untrusted(path, os.fstat(stream.fileno()))
                if problem and is_untrusted_refused():
                    raise TokenError(f"{failure} as root from {self.name}: {problem}")
                content = stream.read(_MAX_LENGTH + 1)
        except OSError as error:
            reason = f"{error.strerror}; {_fix(path, error)}"
            raise TokenError(f"cannot read the {self.kind} from {self.name}: {reason}") from None
        if len(content) > _MAX_LENGTH:
            raise TokenError(f"{failure}: {self.name} is larger than {_MAX_LENGTH} bytes")
        return content.decode("utf-8", "replace")


def check_token(token: str, name: str = "send token") -> str:
    """Return the token. Raise TokenError if a header cannot carry it. name: for the message."""
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise TokenError(
            f"the {name} contains characters that are not allowed, such as spaces or line breaks: "
            "store the token alone"
        )
    return token


def find_token(
    api: ApiConfig, environ: Mapping[str, str], files: Sequence[Path] = ()
) -> TokenSource:
    """Return the first source that is set. files: those of the configuration, the main one first.

    The order is `token_file`, the systemd credential, the file beside the configuration, the
    environment. If none is set, the file beside the configuration is awaited.
    """
    if api.token_file:
        return TokenSource(f"the file {api.token_file} (token_file in [api])", path=api.token_file)
    if directory := environ.get("CREDENTIALS_DIRECTORY"):
        path = Path(directory) / CREDENTIAL
        if os.path.lexists(path):
            return TokenSource(_CREDENTIAL_NAME, path=path)
    beside = token_file(api, files, environ)
    if os.path.lexists(beside):
        return TokenSource(f"the file {beside}", path=beside)
    for name in VARIABLES:
        if environ.get(name):
            return TokenSource(f"the variable {name}", value=SecretStr(environ[name]))
    return TokenSource(f"the file {beside}", path=beside, awaited=True)


def find_listen_token(listen: ListenConfig) -> TokenSource | None:
    """Return the source of the TCP clients' token; None without `[listen] tcp`."""
    if listen.tcp is None or listen.token_file is None:
        return None
    name = f"the file {listen.token_file} (token_file in [listen])"
    return TokenSource(name, path=listen.token_file, kind="listen token")


def find_webhook_secret(webhooks: WebhooksConfig) -> TokenSource | None:
    """Return the source of the secret that signs webhooks; None without `secret_file`."""
    path = webhooks.secret_file
    name = f"the file {path} (secret_file in [webhooks])"
    return None if path is None else TokenSource(name, path=path, kind="webhook secret")


class ListenSecrets(NamedTuple):
    """What clients of `[listen] tcp` must know. None: nobody is admitted."""

    token: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    ping_key: SecretStr | None = None

    @classmethod
    def read(cls, listen: ListenConfig, webhooks: WebhooksConfig) -> Self:
        """Read the files; ConfigError if one cannot be used, as the daemon needs them."""
        try:
            token, secret = find_listen_token(listen), find_webhook_secret(webhooks)
            return cls(
                token.read() if token else None,
                secret.read() if secret else None,
                listen.ping_key,
            )
        except TokenError as error:
            raise ConfigError([str(error)]) from None


def token_file(api: ApiConfig, files: Sequence[Path], environ: Mapping[str, str]) -> Path:
    """Return the file that the daemon reads its token from: `token_file`, or beside the config.

    files: those of the configuration, the main one first; without any, the user's directory counts.
    """
    if api.token_file:
        return api.token_file
    return config_dir(files, environ) / CREDENTIAL


def save_token(path: Path, token: str) -> None:
    """Replace a file atomically with one that holds the token and only this user can read.

    Raise TokenError if it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, f"{token}\n", 0o600)
    except OSError as error:
        raise TokenError(f"cannot save the token in {path}: {error.strerror}") from None


def remove_token(environ: MutableMapping[str, str]) -> None:
    """Remove the token from an environment, so that child processes do not inherit it."""
    for name in VARIABLES:
        environ.pop(name, None)


def _fix(path: Path, error: OSError) -> str:
    user = effective_user()
    if isinstance(error, FileNotFoundError):
        return f"store it there, readable only by user {user}"
    if isinstance(error, PermissionError):
        return f"grant user {user} read access: run `chown {user} {path}` as root"
    return "fix this or set another file"
