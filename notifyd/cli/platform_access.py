"""What `notifyd api` and `notifyd token` share: whom they ask, as whom, and how a refusal ends."""

import argparse
import os
import sys
from pathlib import Path

from pydantic import SecretStr

from notifyd.cli import FAILED, REFUSED, TRY_LATER, UNREACHABLE, USAGE
from notifyd.config.load import load
from notifyd.model.errors import ConfigError
from notifyd.platform.client import Client
from notifyd.platform.errors import (
    AuthenticationError,
    ForbiddenError,
    InvalidFieldError,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
    ServerError,
)

_EXITS: tuple[tuple[type[PlatformError], int], ...] = (
    (PlatformUnreachableError, UNREACHABLE),
    (AuthenticationError, REFUSED),
    (ForbiddenError, REFUSED),
    (InvalidFieldError, USAGE),
    (RateLimitedError, TRY_LATER),
    (ServerError, TRY_LATER),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url", metavar="URL", help="the API's address ($OBLIEN_BASE_URL, else [api] url)"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the usual places")


def open_client(args: argparse.Namespace, *, token: bool) -> Client:
    """Make a client from the environment. token: whether a session token will do.

    ConfigError says which variable to set.
    """
    client_id = os.environ.get("OBLIEN_CLIENT_ID", "")
    secret = os.environ.get("OBLIEN_CLIENT_SECRET", "")
    session = os.environ.get("OBLIEN_TOKEN", "") if token else ""
    if not session and not (client_id and secret):
        missing = [
            name
            for name, value in (("OBLIEN_CLIENT_ID", client_id), ("OBLIEN_CLIENT_SECRET", secret))
            if not value
        ]
        others = ", or OBLIEN_TOKEN to a session token" if token else ""
        raise ConfigError(
            [f"no API credentials: set {' and '.join(missing)} in the environment{others}"]
        )
    url = args.url or load(args.config, os.environ).settings.api.url
    return Client(client_id, SecretStr(secret), token=SecretStr(session), base_url=url)


def report_failure(error: PlatformError) -> int:
    """Print an error of the platform on standard error and give the exit status."""
    facts = [f"code {error.code}"] if error.code else []
    facts += [f"request {error.request_id}"] if error.request_id else []
    print(f"{error} ({', '.join(facts)})" if facts else error, file=sys.stderr)
    if error.details is not None:
        print(f"details: {error.details}", file=sys.stderr)
    return next((status for kind, status in _EXITS if isinstance(error, kind)), FAILED)
