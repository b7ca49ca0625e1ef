"""notifyd: watches a workspace and delivers push notifications.

sources/ --Event--> triggers/ --Match--> engine/ --Commit--> outbox/ --> delivery/
  logs, journal       group,             step() in           SQLite:       rate, retry,
  files               text               shaping/            rows, state,  token
  processes                                 ^                checkpoints      |
  schedule                                  |                                 |
api/ (socket) --Submitted, Cancelled--------+-----------Outcome---------------+

Start with engine/pipeline.py; ARCHITECTURE.md explains the whole.

Programs send with `from notifyd import send, asend`, which import little more than json and socket.
"""

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    from notifyd.client.sending import SentNotification, asend, send
    from notifyd.model.errors import NotifydError

__all__ = ["NotifydError", "SentNotification", "__version__", "asend", "send"]
__version__ = "0.1.0"

_MODULES = {
    "NotifydError": "notifyd.model.errors",
    "SentNotification": "notifyd.client.sending",
    "asend": "notifyd.client.sending",
    "send": "notifyd.client.sending",
}


def __getattr__(name: str) -> object:
    """Import what programs use when they ask for it: most modules of notifyd do not."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - as above

    value: object = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value
