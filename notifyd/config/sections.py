"""The tables of the config file that are not triggers, each as its room receives it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from notifyd.config.units import Duration, Size


def absolute(value: str) -> Path:
    """Expand `~` and refuse a path whose meaning hangs on where the daemon was started."""
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise ValueError(f"must be absolute or begin with ~: perhaps {Path.cwd() / value}")
    return path


def mode(value: object) -> int:
    """Read an octal file mode in quotes, such as "0660"."""
    if isinstance(value, str) and value and not set(value) - set("01234567") and len(value) <= 4:
        return int(value, 8)
    raise ValueError('is no file mode: write it in quotes, such as "0660"')


AbsolutePath = Annotated[Path, BeforeValidator(lambda value: absolute(str(value)))]
Mode = Annotated[int, BeforeValidator(mode)]


def _url(value: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - the command line reads this module's peers

    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no URL: write one like https://api.oblien.com")
    loopback = parts.hostname in ("localhost", "::1") or parts.hostname.startswith("127.")
    if parts.scheme == "http" and not loopback:
        raise ValueError("would send the token unencrypted: http:// is for this machine only")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_url)]


class Section(BaseModel):
    """Strict: an unknown key or a wrong type is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Api(Section):
    url: Url = "https://api.oblien.com"
    timeout: Annotated[Duration, Field(gt=0, le=300)] = 10.0
    token_file: AbsolutePath | None = None


class Rate(Section):
    """At most `max` in any window of `per` seconds."""

    max: Annotated[int, Field(ge=1, le=100_000)]
    per: Annotated[Duration, Field(gt=0)]


class RateLimit(Rate):
    max: Annotated[int, Field(ge=1, le=100_000)] = 30
    per: Annotated[Duration, Field(gt=0)] = 60.0


class Budget(Rate):
    max: Annotated[int, Field(ge=1, le=100_000)] = 20
    per: Annotated[Duration, Field(gt=0)] = 3600.0


class Delivery(Section):
    expire: Annotated[Duration, Field(gt=0)] = 86400.0
    probe: Annotated[Duration, Field(gt=0)] = 900.0
    history: Annotated[Duration, Field(ge=0)] = 604800.0
    digest: bool = True


class Socket(Section):
    path: AbsolutePath | None = None
    mode: Mode = 0o660
    group: str | None = None
    admin_group: str | None = None
    max_body: Annotated[Size, Field(ge=1024, le=1 << 20)] = 64 << 10
    rate: Rate = Rate.model_construct(max=120, per=60.0)


class State(Section):
    dir: AbsolutePath | None = None


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json", "journal"] = "auto"


class Text(Section):
    redact: bool = True
