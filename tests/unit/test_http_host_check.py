import pytest

from notifyd.config.paths import is_loopback
from notifyd.http.errors import HttpError
from notifyd.http.host_check import HostCheck


def refused(listen: str, host: str, origin: str | None = None, **how: bool) -> str:
    headers = {"Host": host} if origin is None else {"Host": host, "Origin": origin}
    try:
        HostCheck(listen, "this server", **how).check(headers)
    except HttpError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8788", "127.0.0.1:8788", "[::1]:8788", "localhost:9999"]
)
def test_local_names_are_accepted(host: str) -> None:
    assert refused("127.0.0.1", host) == ""


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8788", "127.0.0.1.evil.example", "192.168.1.5", "[", "[::1"],
)
def test_other_names_are_refused(host: str) -> None:
    assert refused("127.0.0.1", host) == "host_refused"


def test_the_configured_host_is_accepted() -> None:
    assert refused("workstation.lan", "workstation.lan:8788") == ""
    assert refused("192.168.1.5", "192.168.1.5:8788") == ""


@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
def test_a_wildcard_accepts_any_address_and_no_other_name(listen: str) -> None:
    assert refused(listen, "192.168.1.5:8788") == ""
    assert refused(listen, "[2001:db8::5]:8788") == ""
    assert refused(listen, "evil.example") == "host_refused"


def test_other_origins_are_refused() -> None:
    host = "127.0.0.1:8788"
    assert refused("127.0.0.1", host, "http://127.0.0.1:8788", own_pages=True) == ""
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9000", "http://[", ""):
        assert refused("127.0.0.1", host, origin, own_pages=True) == "origin_refused"


def test_a_server_without_pages_refuses_every_origin() -> None:
    assert refused("127.0.0.1", "127.0.0.1:8787", "http://127.0.0.1:8787") == "origin_refused"


def test_any_address_is_accepted_where_the_server_says_so() -> None:
    assert refused("127.0.0.1", "192.168.1.5:8787", any_address=True) == ""
    assert refused("127.0.0.1", "evil.example", any_address=True) == "host_refused"


def test_loopback_addresses_are_recognised() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.8.8.8", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.5", "example.org")))
