"""What a request straight to the API needs: the configured server, its token, a rendered text."""

import os
import time
from dataclasses import dataclass, replace

from pydantic import SecretStr

from notifyd.client.spool import new_id
from notifyd.config.load import load
from notifyd.config.token import find_token
from notifyd.engine.renderer import Renderer
from notifyd.model.events import Now
from notifyd.model.notifications import SOCKET, Message, Notification, Payload, Priority, Status
from notifyd.text.visible import visible_text


@dataclass(frozen=True, slots=True)
class DirectRequest:
    """url, timeout: of the API. now: when the request was prepared."""

    url: str
    timeout: float
    token: SecretStr
    token_name: str
    payload: Payload
    now: Now


def prepare(message: Message, priority: Priority) -> DirectRequest:
    """Read the configuration and the token, and mask and cut the text as the daemon does it.

    Raise ConfigError or TokenError.
    """
    loaded = load(None, os.environ)
    settings = loaded.settings
    token = find_token(settings.api, os.environ, loaded.files)
    secret = token.read()
    now = Now(time.monotonic(), time.time())
    notification = Notification(
        new_id(now.wall), Status.ATTEMPTING, SOCKET, priority, 1, now.wall, now.mono
    )
    visible = replace(message, title=visible_text(message.title), body=visible_text(message.body))
    renderer = Renderer({}, is_redacting=settings.text.redact)
    payload = renderer.render(notification, visible, now)
    return DirectRequest(settings.api.url, settings.api.timeout, secret, token.name, payload, now)
