"""The events that the fold takes: everything that may change a group or a notification."""

from dataclasses import dataclass

from notifyd.model.agents import AgentReport
from notifyd.model.attempts import Outcome
from notifyd.model.events import Match
from notifyd.model.notifications import SOCKET, Incident, Message, Notification, Peer, Priority
from notifyd.model.pings import Ping
from notifyd.shaping.rules import Rules


@dataclass(frozen=True, slots=True)
class Configured:
    """New rules, at a start or a reload."""

    rules: Rules


@dataclass(frozen=True, slots=True)
class Booted:
    """The first start after a boot. off_for: seconds since the last commit before it."""

    off_for: float


@dataclass(frozen=True, slots=True)
class Submitted:
    """A message to send. delay: seconds to hold it. trigger: in whose name it is sent.

    key: replaces the peer's unattempted notifications of the same key. id, created: the id and the
    wall-clock time that a message has already; empty and 0 if it is new.
    """

    message: Message
    priority: Priority
    peer: Peer
    key: str = ""
    delay: float = 0.0
    trigger: str = SOCKET
    id: str = ""
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Spooled:
    """A request from the spool. time, expires: wall-clock times of its file.

    id: that of the file, and of the notification.
    """

    id: str
    time: float
    expires: float
    request: "Submitted | Pinged | AgentReported"


@dataclass(frozen=True, slots=True)
class SpoolFilesRemoved:
    """The files of these ids are gone, so the ids need not be remembered."""

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A request to cancel a notification by its id, or by the peer's own key."""

    peer: Peer
    id: str = ""
    key: str = ""
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class Retried:
    """A request to send a notification again. notification: as the store holds it."""

    peer: Peer
    notification: Notification
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class Muted:
    """A request to mute a trigger, or everything under the empty name. Zero seconds unmute."""

    trigger: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WebhookReceived:
    """A delivery of one of the platform's webhooks.

    key: what identifies it. remember: seconds during which the same key is a duplicate. matches:
    one for each trigger that waits for this event; those of a duplicate are dropped.
    """

    key: str
    remember: float
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Pinged:
    """A job pinged a heartbeat."""

    ping: Ping


@dataclass(frozen=True, slots=True)
class AgentReported:
    """A hook of a coding agent reported an event. peer: the hook."""

    report: AgentReport
    peer: Peer


@dataclass(frozen=True, slots=True)
class PingsRefused:
    """Pings of these heartbeats were refused, because nothing could be stored."""

    heartbeats: frozenset[str]


@dataclass(frozen=True, slots=True)
class AgentEventsRefused:
    """Events of coding agents were refused, because nothing could be stored. Hooks spool them."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """The process did not run for so long that clients have given up their requests."""


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A new delivery worker is free; the attempts of an earlier one have no known outcome."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An attempt has an outcome, and the worker is free again."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SendingAllowed:
    """A backoff may end: there is a new token, or a reload or a retry was requested."""


@dataclass(frozen=True, slots=True)
class IncidentOccurred:
    """Something happened to the store."""

    incident: Incident


Request = (
    Submitted | Spooled | Cancelled | Retried | Muted | WebhookReceived | Pinged | AgentReported
)
Input = (
    Match
    | Configured
    | Booted
    | Request
    | PingsRefused
    | AgentEventsRefused
    | SpoolFilesRemoved
    | Stalled
    | WorkerStarted
    | Settled
    | SendingAllowed
    | IncidentOccurred
)
