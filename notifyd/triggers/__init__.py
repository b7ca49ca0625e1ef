"""Pure: which group an event counts for, and what a notification says."""

from notifyd.triggers.digest import render_digest
from notifyd.triggers.trigger import Trigger

__all__ = ["Trigger", "render_digest"]
