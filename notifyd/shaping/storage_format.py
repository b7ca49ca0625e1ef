"""How the state is stored: the name and the type of every field of every kind of value.

These names are a format: databases of all earlier versions hold them. They do not depend on the
names of classes and attributes; an attribute that is renamed keeps its stored name here.

To add a field, give its attribute a default: values of earlier versions lack it, and earlier
versions ignore it. A field of an array goes to its end. A change that earlier versions would
misread needs a higher FORMAT, written as "format" into the value, and code that reads both.
"""

from collections.abc import Mapping

from pydantic_core import core_schema

from notifyd.model.agents import AgentEvent, QuestionKind
from notifyd.model.events import AlertState, Event
from notifyd.model.notifications import (
    ConditionReport,
    Digest,
    Incident,
    MatchSummary,
    Notification,
    Peer,
    Priority,
    Status,
)
from notifyd.model.pings import PingSignal
from notifyd.shaping.agents.session import AgentSession, OpenQuestion, SessionState
from notifyd.shaping.budget import Charge
from notifyd.shaping.group import Condition, Group, Transition
from notifyd.shaping.heartbeat import Heartbeat, JobRun
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import (
    GlobalState,
    PendingDigest,
    SpooledId,
    TriggerStats,
    WebhookDelivery,
)
from notifyd.shaping.stored_kind import (
    StoredKind,
    array_schema,
    enum_schema,
    list_schema,
    map_schema,
    object_schema,
    optional_schema,
)
from notifyd.shaping.trace import Action, TraceEntry

_TEXT = core_schema.str_schema(strict=True)
_FLAG = core_schema.bool_schema(strict=True)
_TIME = core_schema.float_schema(strict=True, allow_inf_nan=False)
_COUNT = core_schema.int_schema(strict=True, ge=0, le=2**63 - 1)
_ACCOUNT = core_schema.int_schema(strict=True, ge=-1, le=2**63 - 1)
_TEXTS = map_schema(_TEXT)
_JSON = map_schema(core_schema.any_schema())

_EVENT = array_schema(
    Event,
    {
        "trigger": _TEXT,
        "wall": _TIME,
        "line": _TEXT,
        "path": _TEXT,
        "fields": _TEXTS,
        "facts": _TEXTS,
        "alert_state": enum_schema(AlertState),
    },
)

_SUMMARY = object_schema(
    MatchSummary,
    {
        "count": ("count", _COUNT),
        "first": ("first", _TIME),
        "last": ("last", _TIME),
        "first_line": ("first_line", _TEXT),
        "lines": ("lines", list_schema(_TEXT)),
        "paths": ("paths", list_schema(_TEXT)),
        "event": ("event", _EVENT),
        "course": ("condition_report", enum_schema(ConditionReport)),
        "reminder": ("reminder", _COUNT),
        "kinds": ("kinds", map_schema(_COUNT)),
        "outcomes": ("outcomes", map_schema(_COUNT)),
        "overflow": ("is_overflow", _FLAG),
    },
)

_ALARM = object_schema(
    Condition,
    {
        "event": ("event", _EVENT),
        "due": ("remind_at", _TIME),
        "reminders": ("reminders", _COUNT),
        "hold": ("mute_digest_id", _TEXT),
        "row": ("reminder_id", _TEXT),
    },
)

_TRANSITION = object_schema(
    Transition,
    {"event": ("event", _EVENT), "since": ("since", _TIME), "count": ("count", _COUNT)},
)

_GROUP = object_schema(
    Group,
    {
        "trigger": ("trigger", _TEXT),
        "values": ("values", list_schema(_TEXT)),
        "identity": ("identity", _TEXT),
        "window": ("window", list_schema(_TIME)),
        "recent": ("window_events", list_schema(_EVENT)),
        "tally": ("summary", optional_schema(_SUMMARY)),
        "since": ("first_match_at", _TIME),
        "due": ("due", _TIME),
        "cooling": ("cooldown_until", _TIME),
        "cooldown": ("cooldown", _TIME),
        "cooldown_base": ("base_cooldown", _TIME),
        "seen": ("last_match_at", _TIME),
        "open": ("open_id", _TEXT),
        "told": ("open_summary", optional_schema(_SUMMARY)),
        "alarm": ("condition", optional_schema(_ALARM)),
        "transition": ("transition", optional_schema(_TRANSITION)),
        "severity": ("severity", _COUNT),
    },
)

_DIGEST = object_schema(
    PendingDigest,
    {
        "id": ("id", _TEXT),
        "digest": (
            "digest",
            object_schema(
                Digest,
                {
                    "reason": ("reason", _TEXT),
                    "counts": ("counts", map_schema(_COUNT)),
                    "first": ("first", _TIME),
                    "last": ("last", _TIME),
                    "lines": ("lines", list_schema(_TEXT)),
                },
            ),
        ),
        "due": ("due", _TIME),
        "placed": ("queued", _FLAG),
        "priority": ("priority", enum_schema(Priority)),
        "began": ("began_at", _TIME),
    },
)

_LEDGER = object_schema(
    TriggerStats,
    {
        "matches": ("matches", _COUNT),
        "notifications": ("notifications", _COUNT),
        "below_threshold": ("below_threshold", _COUNT),
        "reason": ("reason", _TEXT),
        "quiet": ("ended_while_muted", _COUNT),
    },
)

_TRAIL = core_schema.list_schema(
    array_schema(
        TraceEntry,
        {
            "action": enum_schema(Action),
            "first": _TIME,
            "last": _TIME,
            "matches": _COUNT,
            "line": _TEXT,
            "group": list_schema(_TEXT),
            "until": _TIME,
            "notification_id": _TEXT,
            "detail": _TEXT,
        },
    )
)

_NOTIFICATION = object_schema(
    Notification,
    {
        "id": ("id", _TEXT),
        "status": ("status", enum_schema(Status)),
        "trigger": ("trigger", _TEXT),
        "priority": ("priority", enum_schema(Priority)),
        "count": ("count", _COUNT),
        "created": ("created", _TIME),
        "expires": ("expires", _TIME),
        "release": ("not_before", _TIME),
        "attempts": ("attempts", _COUNT),
        "failures": ("failures", _COUNT),
        "group": ("group", _TEXT),
        "key": ("key", _TEXT),
        "peer": (
            "peer",
            optional_schema(
                object_schema(
                    Peer,
                    {
                        "uid": ("uid", _ACCOUNT),
                        "gid": ("gid", _ACCOUNT),
                        "pid": ("pid", _ACCOUNT),
                    },
                )
            ),
        ),
        "title": ("title", _TEXT),
        "last_error": ("last_error", _TEXT),
        "merged_into": ("merged_into", _TEXT),
        "report": ("report", optional_schema(_JSON)),
    },
)


def _as_charge(value: object) -> object:
    """Return the array of a charge; earlier versions stored its time alone."""
    return value if isinstance(value, list) else [value]


_CHARGE = core_schema.no_info_before_validator_function(
    _as_charge,
    array_schema(Charge, {"at": _TIME, "source": _TEXT, "notification_id": _TEXT}),
)

_BOOKS = object_schema(
    GlobalState,
    {
        "gate": (
            "send_state",
            object_schema(
                SendState,
                {
                    "sending": ("status", enum_schema(SendStatus)),
                    "error": ("error", _TEXT),
                    "cause": ("cause", _TEXT),
                    "nobody": ("no_device_reason", _TEXT),
                    "resume": ("backoff_until", _TIME),
                    "hold": ("retry_after_until", _TIME),
                    "streak": ("consecutive_failures", _COUNT),
                    "slots": ("slots", list_schema(_TIME)),
                    "refused_since": ("refused_since", _TIME),
                    "forbidden": ("last_forbidden", optional_schema(_NOTIFICATION)),
                    "in_flight": ("in_flight", _TEXT),
                    "worker_free": ("worker_free", _FLAG),
                },
            ),
        ),
        "charges": ("charges", list_schema(_CHARGE)),
        "digest_from": ("budget_digest_from", _TIME),
        "seed": ("seed", _TEXT),
        "serial": ("serial", _COUNT),
        "muted": ("mutes", map_schema(_TIME)),
        "mutes": ("wall_mutes", map_schema(_TIME)),
        "expiry_offset": ("expiry_offset", _TIME),
    },
    earlier_names={"charges": "spent"},
)

_INCIDENT = object_schema(
    Incident,
    {
        "wall": ("wall", _TIME),
        "title": ("title", _TEXT),
        "sentence": ("message", _TEXT),
        "told": ("reported", _FLAG),
    },
)

_DELIVERY = object_schema(WebhookDelivery, {"until": ("until", _TIME)})

_SPOOLED = object_schema(SpooledId, {"since": ("since", _TIME)})

_HEARTBEAT = object_schema(
    Heartbeat,
    {
        "rule": ("rule_identity", _TEXT),
        "since": ("since", _TIME),
        "waits_from": ("waits_from", _TIME),
        "expected": ("expected", _TIME),
        "put_off": ("put_off_until", _TIME),
        "deadline": ("deadline", _TIME),
        "pinged": ("pinged_at", _TIME),
        "signal": ("signal", optional_schema(enum_schema(PingSignal))),
        "arrived": ("arrived", _TIME),
        "output": ("output", _TEXT),
        "runs": (
            "runs",
            list_schema(
                object_schema(
                    JobRun,
                    {
                        "id": ("id", _TEXT),
                        "started": ("started", _TIME),
                        "waits_from": ("waits_from", _TIME),
                    },
                )
            ),
        ),
        "runtime": ("runtime", _TIME),
        "down_since": ("down_since", _TIME),
    },
)

_AGENT = object_schema(
    AgentSession,
    {
        "uid": ("uid", _ACCOUNT),
        "id": ("id", _TEXT),
        "agent": ("agent", _TEXT),
        "project": ("project", _TEXT),
        "directory": ("directory", _TEXT),
        "seen": ("seen", _TIME),
        "state": ("state", enum_schema(SessionState)),
        "prompted": ("prompted", _TIME),
        "turn": ("turn", _TEXT),
        "turn_at": ("turn_at", _TIME),
        "answered": ("answered_at", _TIME),
        "answered_keys": ("answered_keys", map_schema(_TIME)),
        "questions": (
            "questions",
            list_schema(
                object_schema(
                    OpenQuestion,
                    {
                        "key": ("key", _TEXT),
                        "kind": ("kind", enum_schema(QuestionKind)),
                        "text": ("text", _TEXT),
                        "asked": ("asked", _TIME),
                        "waits_from": ("waits_from", _TIME),
                        "deadline": ("deadline", _TIME),
                        "notification": ("notification_id", _TEXT),
                        "pushed": ("pushed_at", _TIME),
                        "subagent": ("subagent", _FLAG),
                    },
                )
            ),
        ),
        "failures": ("failures", list_schema(_TEXT)),
        "done": ("done_id", _TEXT),
        "last_event": ("last_event", optional_schema(enum_schema(AgentEvent))),
        "last_text": ("last_text", _TEXT),
        "last_at": ("last_at", _TIME),
        "reason": ("reason", _TEXT),
    },
)

KINDS: Mapping[str, StoredKind] = {
    "group": StoredKind(_GROUP),
    "digest": StoredKind(_DIGEST),
    "ledger": StoredKind(_LEDGER),
    "trail": StoredKind(_TRAIL),
    "books": StoredKind(_BOOKS),
    "incident": StoredKind(_INCIDENT),
    "delivery": StoredKind(_DELIVERY),
    "spooled": StoredKind(_SPOOLED),
    "heartbeat": StoredKind(_HEARTBEAT),
    "agent": StoredKind(_AGENT),
}
"""By the word before the colon in the name of an entry."""
