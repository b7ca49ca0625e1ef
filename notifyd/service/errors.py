"""Why the service cannot be installed or removed."""

from notifyd.model.errors import NotifydError


class ServiceError(NotifydError):
    """A step failed, or was refused before anything changed."""
