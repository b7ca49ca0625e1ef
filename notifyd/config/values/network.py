"""Addresses, URLs, and what selects something at the platform's API."""

from string import ascii_letters, digits
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from notifyd.config.paths import ListenAddress, is_loopback

_EVENT_CHARACTERS = frozenset(f"{ascii_letters}{digits}._-*")
_SHORTEST_PING_KEY = 8
_PING_KEY_CHARACTERS = frozenset(f"{ascii_letters}{digits}-_")


def _check_event_pattern(value: str) -> str:
    if not value or set(value) - _EVENT_CHARACTERS:
        raise ValueError('invalid event name; use for example "workload.failed" or "workload.*"')
    return value


def _parse_listen_address(value: object) -> object:
    if isinstance(value, ListenAddress):
        return value
    try:
        return ListenAddress.parse(value if isinstance(value, str) else "")
    except ValueError:
        reason = 'invalid address; use HOST:PORT such as "127.0.0.1:8787"'
        raise ValueError(reason) from None


def _check_ping_key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if len(key) < _SHORTEST_PING_KEY or set(key) - _PING_KEY_CHARACTERS:
        raise ValueError(
            f"must have at least {_SHORTEST_PING_KEY} characters: letters, digits, '-' and '_'"
        )
    return value


def _check_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or set(value) & set(" \t\r\n"):
        raise ValueError('invalid URL; use for example "https://api.oblien.com"')
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be a base URL without user, password, query and fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(
            "http:// would send the token unencrypted; use https:// (http:// is accepted for "
            "loopback addresses only)"
        )
    return value.rstrip("/")


def _check_api_path(value: str) -> str:
    if not value.startswith("/") or not value.isprintable() or " " in value:
        raise ValueError('invalid API path; use for example "/sandbox/sb_1/metrics"')
    return value


def _check_jmespath(value: str) -> str:
    import jmespath  # noqa: PLC0415 - only oblien triggers need it
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415 - only with them

    try:
        jmespath.compile(value)
    except JMESPathError as error:
        raise ValueError(f"invalid JMESPath expression: {str(error).splitlines()[0]}") from None
    return value


TcpAddress = Annotated[ListenAddress, BeforeValidator(_parse_listen_address)]
PingKey = Annotated[SecretStr, AfterValidator(_check_ping_key)]
Url = Annotated[str, AfterValidator(_check_url)]
EventPattern = Annotated[str, AfterValidator(_check_event_pattern)]
ApiPath = Annotated[str, AfterValidator(_check_api_path)]
JmesPath = Annotated[str, AfterValidator(_check_jmespath)]
