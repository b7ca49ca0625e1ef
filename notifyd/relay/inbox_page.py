"""The inbox page: one HTML document with its style and script, and its security policy."""

import base64
from hashlib import sha256
from importlib import resources
from typing import NamedTuple
from urllib.parse import quote


class InboxPage(NamedTuple):
    html: str
    policy: str
    """Its Content-Security-Policy: only this style and this script, nothing from elsewhere."""
    icon: str


def load() -> InboxPage:
    icon, style, script = (
        _read("icon.svg"),
        _read("theme.css") + _read("inbox.css"),
        _read("inbox.js"),
    )
    html = (
        _read("inbox.html")
        .replace("{{ icon }}", "data:image/svg+xml," + quote(icon))
        .replace("{{ style }}", style)
        .replace("{{ script }}", script)
    )
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)};"
        " connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return InboxPage(html, policy, icon)


def _read(name: str) -> str:
    return resources.files(__package__).joinpath("page", name).read_text("utf-8")


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
