"""The events that the fold takes: everything that may change a group or an outbox row."""

from dataclasses import dataclass

from notifyd.model.attempts import Outcome
from notifyd.model.events import Match
from notifyd.model.notifications import Incident, Message, Notification, Peer, Priority
from notifyd.shaping.rules import Rules


@dataclass(frozen=True, slots=True)
class Configured:
    """The rules of a start or a reload."""

    rules: Rules


@dataclass(frozen=True, slots=True)
class Submitted:
    """A request of the socket. delay: seconds to hold it. key: replaces what bears it, untried."""

    message: Message
    priority: Priority
    peer: Peer
    key: str = ""
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A wish to cancel by id, or by key among the peer's own; `everyone`: may cancel anybody's."""

    peer: Peer
    id: str = ""
    key: str = ""
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A delivery worker waits for its first order; what another one attempted has no outcome."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An attempt ended, and the worker waits for its next order."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SendingAllowed:
    """There is a new token, or somebody asked to try again: wait no longer."""


@dataclass(frozen=True, slots=True)
class Muted:
    """A wish to hear nothing of a trigger for so many seconds; of no name: of everything."""

    trigger: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Retried:
    """A wish to send a notification again. row: as the store has it; `everyone`: as above."""

    peer: Peer
    notification: Notification
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class IncidentOccurred:
    """Something befell the store."""

    incident: Incident


Request = Submitted | Cancelled | Retried | Muted
Input = Match | Configured | Request | WorkerStarted | Settled | SendingAllowed | IncidentOccurred
