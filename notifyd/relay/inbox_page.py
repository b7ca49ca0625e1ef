"""The inbox page: one HTML document with its style and script, and its security policy."""

import base64
import json
from hashlib import sha256
from importlib import resources
from typing import NamedTuple
from urllib.parse import quote

_SCRIPTS = (
    *("text", "relay", "summary", "card", "list", "filters", "actions", "fleet", "connection"),
    *("keyboard", "settings", "push", "main"),
)
"""The files in page/script/ in their order; together they are one script."""


class InboxPage(NamedTuple):
    """policy: its Content-Security-Policy; only this style and this script, none from elsewhere.

    version: changes with style and script.
    worker: the script with which an installed page opens offline. refusal: what a browser is shown
    whose address has a wrong key.
    """

    html: str
    version: str
    policy: str
    icon: str
    worker: str
    refusal: str
    refusal_policy: str


def load() -> InboxPage:
    icon, theme = _read("icon.svg"), _read("theme.css")
    style = theme + _read("inbox.css")
    script = "\n".join(_read("script", f"{name}.js") for name in _SCRIPTS)
    favicon = "data:image/svg+xml," + quote(icon)
    version = sha256((style + script).encode()).hexdigest()[:16]
    html = (
        _read("inbox.html")
        .replace("{{ icon }}", favicon)
        .replace("{{ version }}", version)
        .replace("{{ style }}", style)
        .replace("{{ script }}", script)
    )
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)};"
        " connect-src 'self'; img-src data: 'self'; manifest-src 'self'; worker-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    refusal_style = theme + _read("refusal.css")
    refusal = _read("refusal.html").replace("{{ icon }}", favicon)
    return InboxPage(
        html,
        version,
        policy,
        icon,
        _read("worker.js"),
        refusal.replace("{{ style }}", refusal_style),
        f"default-src 'none'; style-src {_source(refusal_style)}; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )


def manifest(key: str) -> str:
    """Return the manifest with which the page is installed as an app. key: of the inbox."""
    return json.dumps(
        {
            "name": "notifyd inbox",
            "short_name": "Inbox",
            "id": "/inbox",
            "start_url": f"/inbox?key={quote(key, safe='')}",
            "scope": "/inbox",
            "display": "standalone",
            "background_color": "#f2f3f7",
            "theme_color": "#f2f3f7",
            "icons": [{"src": "/favicon.ico", "sizes": "any", "type": "image/svg+xml"}],
        }
    )


def _read(*names: str) -> str:
    return resources.files(__package__).joinpath("page", *names).read_text("utf-8")


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
