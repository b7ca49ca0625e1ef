"""The platform's client credentials, from the environment alone."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from pydantic import SecretStr

CLIENT_ID = "OBLIEN_CLIENT_ID"
CLIENT_SECRET = "OBLIEN_CLIENT_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class ApiCredentials:
    """What the platform knows a client by."""

    client_id: str
    client_secret: SecretStr = field(repr=False)


def find_credentials(environ: Mapping[str, str]) -> ApiCredentials | None:
    """Return the credentials; None unless both variables are set."""
    client_id, secret = environ.get(CLIENT_ID, ""), environ.get(CLIENT_SECRET, "")
    return ApiCredentials(client_id, SecretStr(secret)) if client_id and secret else None


def remove_credentials(environ: MutableMapping[str, str]) -> None:
    """Remove the secret from an environment, so that child processes do not inherit it."""
    environ.pop(CLIENT_SECRET, None)
