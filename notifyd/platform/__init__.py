"""The platform's API: one table of endpoints, a client made from it, and its errors."""

from notifyd.platform.client import Client
from notifyd.platform.errors import PlatformError

__all__ = ["Client", "PlatformError"]
