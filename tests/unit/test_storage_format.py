"""Stored values keep their names whatever classes and attributes are called."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from notifyd.model.agents import AgentEvent, QuestionKind
from notifyd.model.events import AlertState, Event, Now
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
from notifyd.shaping.codec import restore_state
from notifyd.shaping.group import Condition, Group, Transition
from notifyd.shaping.heartbeat import Heartbeat, JobRun
from notifyd.shaping.rules import Rules
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import (
    GlobalState,
    PendingDigest,
    SpooledId,
    TriggerStats,
    WebhookDelivery,
)
from notifyd.shaping.storage_format import KINDS
from notifyd.shaping.stored_kind import StoredValueError
from notifyd.shaping.trace import Action, TraceEntry
from support.histories import History, match

GOLDENS = Path(__file__).parent.parent / "goldens" / "stored"

EVENT = Event(
    "app",
    1_795_613_592.5,
    'ERROR "ünï"\n',
    "/srv/app.log",
    {"user": "ann"},
    {"pattern": "0"},
    AlertState.FIRING,
)
SUMMARY = MatchSummary(
    3,
    1_795_613_590.25,
    1_795_613_592.5,
    "first",
    ("first", "last"),
    ("/srv/app.log",),
    EVENT,
    ConditionReport.STILL_FIRING,
    2,
    {"created": 2, "deleted": 1},
    {"failure": 3},
    is_overflow=True,
)
NOTIFICATION = Notification(
    "01a212e9-06bc-7be6-9cef-2df5a7e3ba45",
    Status.FAILED,
    "socket",
    Priority.URGENT,
    4,
    1_795_613_592.5,
    1_795_700_000.5,
    11_368.5,
    2,
    1,
    '["app", "ann"]',
    "build",
    Peer(1000, 1001, 4242),
    "a title",
    "the API answered 403",
    "01a212e9-06bc-722b-9a83-0b91912138af",
    {"delivered": 1, "errors": [{"error": None}]},
)
VALUES = {
    "group": Group(
        "app",
        ("ann",),
        "app\0log\0user",
        (11_360.5, 11_361.5),
        (EVENT,),
        SUMMARY,
        11_362.5,
        11_363.5,
        11_364.5,
        600.0,
        11_365.5,
        "01a212e9-06bc-7be6-9cef-2df5a7e3ba45",
        SUMMARY,
        Condition(EVENT, 14_000.5, 3, "01a2-hold", "01a2-row"),
        Transition(EVENT, 11_366.5, 2),
        2,
        300.0,
    ),
    "digest": PendingDigest(
        "01a212e9-06bc-722b-9a83-0b91912138af",
        Digest("mute", {"app": 3, "disk": 1}, 1_795_613_590.25, 1_795_613_592.5, ("a", "b")),
        14_966.5,
        queued=True,
        priority=Priority.HIGH,
        began_at=14_936.5,
    ),
    "ledger": TriggerStats(7, 2, 3, "below the threshold so far", 4),
    "trail": [
        TraceEntry(
            Action.JOINED,
            1_795_613_590.25,
            1_795_613_592.5,
            3,
            "a line",
            ("ann",),
            1_795_613_600.5,
            "01a212e9-06bc-7be6-9cef-2df5a7e3ba45",
            "2 of 3",
        )
    ],
    "books": GlobalState(
        SendState(
            SendStatus.REFUSED,
            "the API answered 401",
            "status_401",
            "no device",
            11_372.5,
            11_373.5,
            3,
            (11_366.5, 11_367.5),
            11_300.5,
            NOTIFICATION,
            "01a212e9-0649-7b10-bf26-8fdd2928f1a1",
            worker_free=True,
        ),
        (
            Charge(11_366.25, "app", "01a212e9-06bc-7be6-9cef-2df5a7e3ba45"),
            Charge(11_367.25, "socket:1000", "01a212e9-06bc-7be6-9cef-2df5a7e3ba46"),
        ),
        11_967.25,
        "61a633d650c71f332eaff5e8bf05fb83",
        10,
        {"": 17_780.5, "app": 27_780.5},
        {"disk": 1_795_640_000.5},
        1_795_602_220.0,
    ),
    "incident": Incident(1_795_613_590.25, "a title", "A sentence.", reported=True),
    "delivery": WebhookDelivery(11_966.5),
    "spooled": SpooledId(11_966.5),
    "heartbeat": Heartbeat(
        "\0" + "0 3 * * *",
        11_300.5,
        11_366.5,
        1_795_640_000.5,
        11_370.5,
        12_366.5,
        1_795_613_592.5,
        PingSignal.START,
        11_367.5,
        "the end of the output",
        (JobRun("7b9c1d0e", 11_366.25, 11_367.25),),
        180.5,
        11_368.5,
    ),
    "agent": AgentSession(
        1000,
        "7b9c1d0e",
        "claude-code",
        "shop",
        "/srv/shop",
        11_366.5,
        SessionState.BACKGROUND,
        11_300.5,
        "p-17",
        11_301.5,
        11_302.5,
        {"toolu_01": 11_303.5},
        (
            OpenQuestion(
                "toolu_02",
                QuestionKind.PERMISSION,
                "Bash: make deploy",
                11_360.5,
                11_361.5,
                11_391.5,
                "01a212e9-06bc-7be6-9cef-2df5a7e3ba45",
                11_392.5,
                subagent=True,
            ),
        ),
        ("rate_limit",),
        "01a212e9-06bc-722b-9a83-0b91912138af",
        AgentEvent.QUESTION,
        "the beginning of a text",
        11_362.5,
        "a turn began",
    ),
}
"""One of each kind, no attribute of which has its default."""


def golden(kind):
    return (GOLDENS / f"{kind}.json").read_text()


def places(value, path=()):
    """List the paths to all parts of a JSON value, but for what the API may send as it likes."""
    if path and path[-1] == "report":
        return
    if path:
        yield path
    if isinstance(value, (dict, list)):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*path, name))


def at(value, path):
    for name in path:
        value = value[name]
    return value


def changed(text, path, new):
    value = json.loads(text)
    at(value, path[:-1])[path[-1]] = new
    return json.dumps(value)


def wrong(value):
    """A value of another type, as a damaged or edited database may hold it."""
    match value:
        case bool() | str():
            return 5
        case int() | float():
            return str(value)
        case dict():
            return ["x"]
        case _:
            return {"x": "y"}


PLACES = [
    pytest.param(kind, path, id=f"{kind}:{'.'.join(map(str, path))}")
    for kind in VALUES
    for path in places(json.loads(golden(kind)))
]


def test_there_is_a_golden_of_every_kind():
    assert VALUES.keys() == KINDS.keys() == {path.stem for path in GOLDENS.glob("*.json")}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_is_written_under_the_stored_names(kind):
    assert json.loads(KINDS[kind].encode(VALUES[kind])) == json.loads(golden(kind))


@pytest.mark.parametrize("kind", VALUES)
def test_a_stored_value_is_read_whole(kind):
    assert KINDS[kind].decode(golden(kind)) == VALUES[kind]


def test_the_store_writes_incidents_in_the_same_format():
    name, text = VALUES["incident"].entry
    assert name == "incident:1795613590.250"
    assert json.loads(text) == json.loads(golden("incident"))


@pytest.mark.parametrize("kind", VALUES)
def test_no_attribute_of_a_golden_has_its_default(kind):
    for value in VALUES[kind] if kind == "trail" else [VALUES[kind]]:
        defaults = getattr(value, "_field_defaults", None)
        if defaults is None:
            defaults = {field.name: field.default for field in fields(value)}
        assert not [name for name, default in defaults.items() if getattr(value, name) == default]


@pytest.mark.parametrize(("kind", "path"), PLACES)
def test_a_wrong_type_is_refused_with_its_place(kind, path):
    text = changed(golden(kind), path, wrong(at(json.loads(golden(kind)), path)))
    with pytest.raises(StoredValueError) as refused:
        KINDS[kind].decode(text)
    assert str(refused.value).startswith(".".join(map(str, path)))


@pytest.mark.parametrize("number", [-1, 2**63, 1.5, float("nan"), float("inf")])
def test_a_number_that_no_step_writes_is_refused(number):
    for kind, name in (("books", "serial"), ("ledger", "matches")):
        with pytest.raises(StoredValueError, match=name):
            KINDS[kind].decode(changed(golden(kind), (name,), number))


def test_charges_of_earlier_versions_have_no_source():
    books = json.loads(golden("books"))
    del books["charges"]
    read = KINDS["books"].decode(json.dumps(books | {"spent": [11_366.25, 11_367]}))
    assert read.charges == (Charge(11_366.25), Charge(11_367.0))


def test_mutes_of_earlier_versions_end_at_the_same_time():
    books = json.dumps({"mutes": {"app": 1_700_000_060.0}})
    now = Now(1000.0, 1_700_000_000.0)
    state = restore_state({"books:": books}, (), seed="s", now=now)
    assert state.global_state.mutes == {"app": 1060.0}
    assert state.global_state.expiry_offset == now.wall - now.mono


@pytest.mark.parametrize(
    ("kind", "path"),
    [("group", ()), ("group", ("told",)), ("digest", ("digest",)), ("books", ("gate",))],
)
def test_names_of_a_later_version_are_ignored(kind, path):
    text = changed(golden(kind), (*path, "later"), {"a": [1]})
    assert KINDS[kind].decode(text) == VALUES[kind]


@pytest.mark.parametrize(
    ("kind", "path"), [("trail", (0,)), ("group", ("tally", "event")), ("books", ("charges", 0))]
)
def test_what_a_later_version_appends_to_an_array_is_ignored(kind, path):
    longer = [*at(json.loads(golden(kind)), path), "later", {"a": 1}]
    assert KINDS[kind].decode(changed(golden(kind), path, longer)) == VALUES[kind]


def test_what_an_earlier_version_did_not_write_has_its_default():
    assert KINDS["ledger"].decode('{"matches": 3}') == TriggerStats(3)
    text = changed(golden("group"), ("tally", "event"), ["app", 1.5, "a line"])
    assert KINDS["group"].decode(text).summary.event == Event("app", 1.5, "a line")


def test_what_every_version_wrote_must_be_there():
    with pytest.raises(StoredValueError, match=r"^values: field required$"):
        KINDS["group"].decode('{"trigger": "app", "identity": "app"}')
    with pytest.raises(StoredValueError, match=r"^recent\.0\.2: "):
        KINDS["group"].decode(changed(golden("group"), ("recent",), [["app", 1.5]]))


def test_a_newer_format_is_refused_for_its_own_entry_alone():
    history = History(Rules())
    history.feed(match("app", "a"), match("app", "b"))
    newer, kept = [name for name in history.stored if name.startswith("group:")]
    history.stored[newer] = changed(history.stored[newer], ("format",), 2)
    state = restore_state(history.stored, (), seed="seed", now=history.now)
    assert state.orphaned_keys == (newer,)
    assert list(state.groups) == [kept.removeprefix("group:")]
    (incident,) = state.incidents.values()
    reason = "a newer version of notifyd wrote it in format 2, and this version reads"
    assert f"{newer} ({reason}" in incident.message


@pytest.mark.parametrize("number", [0, -1, True, "1", 1.0, None])
def test_a_format_that_is_no_positive_integer_is_refused(number):
    with pytest.raises(StoredValueError, match=r'^"format" must be a positive integer$'):
        KINDS["ledger"].decode(json.dumps({"matches": 3, "format": number}))


def test_the_format_of_today_may_be_written_down():
    assert KINDS["ledger"].decode('{"matches": 3, "format": 1}') == TriggerStats(3)


def test_several_unreadable_entries_are_named_with_their_reasons():
    stored = {f"ledger:{number}": '{"matches": "x"}' for number in range(7)}
    state = restore_state(stored, (), seed="seed", now=History(Rules()).now)
    (incident,) = state.incidents.values()
    assert incident.message.startswith(
        "Dropped 7 stored entries that could not be read, with the matches they counted: "
        "ledger:0 (matches: input should be a valid integer); ledger:1 ("
    )
    assert incident.message.endswith(" and 2 more. Everything else is kept.")
