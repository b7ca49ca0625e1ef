"""Triggers: the group that an event counts for, and the text of a notification. Pure."""

from notifyd.triggers.digest import render_digest
from notifyd.triggers.trigger import Trigger

__all__ = ["Trigger", "render_digest"]
