"""Options, client and error report that `notifyd api` and `notifyd token` share."""

import argparse
import os
import sys

from pydantic import SecretStr

from notifyd.cli.exit_status import FAILED, REFUSED, TRY_LATER, UNREACHABLE, USAGE
from notifyd.cli.options import add_config_option
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
        "--url", metavar="URL", help="URL of the API (default: $OBLIEN_BASE_URL, then [api] url)"
    )
    add_config_option(parser)


def open_client(args: argparse.Namespace, *, token: bool) -> Client:
    """Make a client with the credentials in the environment. token: accept a session token too.

    Raise ConfigError that names the variables to set.
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
    """Print an error of the platform to stderr and return the exit status."""
    facts = [f"code {error.code}"] if error.code else []
    facts += [f"request {error.request_id}"] if error.request_id else []
    print(f"{error} ({', '.join(facts)})" if facts else error, file=sys.stderr)
    if error.details is not None:
        print(f"details: {error.details}", file=sys.stderr)
    return next((status for kind, status in _EXITS if isinstance(error, kind)), FAILED)
