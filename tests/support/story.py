"""Plays a story: a config, what happens at which time, and what a phone gets; in virtual time.

    What a person would say of it, in a sentence.
    -----
    [triggers.app]
    ...
    -----
    start 2026-03-02 21:59 Europe/Berlin
    at 0s: app matches "ERROR one"
    at 1m: app matches "ERROR two" 300 times every 10s
    at 2m: ping backup fail "the disk is full"
    at 3m: agent question key t1 text "Deploy now?"
    between 2s and 3s: want "app" "ERROR one"
    end 2h

Times count from the start. Nothing may arrive that is not wanted.
"""

import heapq
import itertools
import json
import re
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from notifyd.api.agent_reports import AgentReportBody
from notifyd.api.pings import parse_signal
from notifyd.config.load import load
from notifyd.delivery.outcome import decide_outcome
from notifyd.delivery.response import ApiResponse, parse_response
from notifyd.engine.pipeline import Pipeline
from notifyd.engine.sources import PipelineContext
from notifyd.model.agents import AgentEvent
from notifyd.model.events import AlertState, Event, Now
from notifyd.model.notifications import Message, Priority
from notifyd.model.pings import Ping
from notifyd.shaping.inputs import AgentReported, Cancelled, Muted, Pinged, Settled, Submitted
from notifyd.text.durations import format_duration, parse_duration
from support.histories import PEER, History

TRAVEL = 0.05
"""Seconds between a request and its answer."""
MONO = 1000.0

_JSON = ("background", "subagent", "automatic")
"""Fields of an agent's event that are no text."""

ApiAnswer = tuple[int, str, str]
"""Status, Retry-After and body of an answer of the API; status 0 for no answer."""

GOOD: ApiAnswer = (200, "", '{"success":true,"delivered":1,"failed":0,"devices":1}')


@dataclass
class Want:
    """A notification that must arrive. first, last: seconds since the start."""

    first: float
    last: float
    title: str
    body: str
    line: str

    def meets(self, arrival: "Arrival") -> bool:
        return bool(
            self.first <= arrival.at <= self.last
            and re.search(self.title, arrival.title)
            and re.search(self.body, arrival.body)
        )


@dataclass
class Arrival:
    at: float
    title: str
    body: str
    count: int

    def __str__(self) -> str:
        return f"{format_duration(self.at)}: {self.title!r} ({self.count}) {self.body!r}"


@dataclass
class Story:
    """`play` lists the differences: what did not arrive, and what arrived unwanted."""

    text: str
    folder: Path
    arrivals: list[Arrival] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)
    api_answer: ApiAnswer = GOOD
    end: float = 0.0

    def play(self) -> list[str]:
        _, config, script = self.text.split("\n-----\n")
        (self.folder / "config.toml").write_text(config)
        settings = load(self.folder / "config.toml", {}).settings
        context = PipelineContext(
            host="box",
            workspace="",
            own_paths=(),
            pattern_cache=self.folder,
            scan_executor=ThreadPoolExecutor(1),
            load_checkpoints=_no_checkpoints,
            wall=lambda: self.history.now.wall,
        )
        self.pipeline = Pipeline(settings, context)
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = itertools.count()
        wall = 1_772_000_000.0
        for line in script.strip().splitlines():
            if line.startswith("start "):
                wall = _start(line)
            elif line.strip() and not line.startswith("#"):
                self._read(line)
        self.history = History(
            self.pipeline.rules, now=Now(MONO, wall), render=self.pipeline.render
        )
        self._run()
        return self._compare()

    def _compare(self) -> list[str]:
        unwanted = list(self.arrivals)
        missing = []
        for want in self.wants:
            met = next((arrival for arrival in unwanted if want.meets(arrival)), None)
            if met is None:
                missing.append(f"did not arrive: {want.line}")
            else:
                unwanted.remove(met)
        return missing + [f"arrived unwanted: {arrival}" for arrival in unwanted]

    # reading

    def _read(self, line: str) -> None:
        head, _, rest = line.partition(": ")
        words = head.split()
        match words:
            case ["end", at]:
                self.end = parse_duration(at)
            case ["at", at]:
                self._plan(parse_duration(at), shlex.split(rest))
            case ["between", first, "and", last]:
                want, title, *body = shlex.split(rest)
                assert want == "want", line
                number = 1
                if body[-1:] == ["times"]:
                    number = int(body[-2])
                    body = body[:-2]
                found = (body or [""])[0]
                wanted = Want(parse_duration(first), parse_duration(last), title, found, line)
                self.wants += [wanted] * number
            case _:
                raise AssertionError(f"not understood: {line}")

    def _plan(self, at: float, words: list[str]) -> None:  # noqa: C901, PLR0912, PLR0915 - the grammar
        match words:
            case [trigger, "matches", line, number, "times", "every", every]:
                for index in range(int(number)):
                    when = at + index * parse_duration(every)
                    self._at(when, lambda: self._match(trigger, line))
            case [trigger, "matches", line, number, "times"]:
                self._at(at, lambda: self._match(trigger, line, int(number)))
            case [trigger, "matches", line]:
                self._at(at, lambda: self._match(trigger, line))
            case [trigger, "ends", "with", outcome, line]:
                self._at(at, lambda: self._match(trigger, line, outcome=outcome))
            case [trigger, "begins", line]:
                self._at(at, lambda: self._match(trigger, line, alert_state=AlertState.FIRING))
            case [trigger, "ends", line]:
                self._at(at, lambda: self._match(trigger, line, alert_state=AlertState.RESOLVED))
            case ["ping", name, signal, *output]:
                self._at(at, lambda: self._ping(name, signal, output))
            case ["agent", event, *options]:
                given = dict(zip(options[::2], options[1::2], strict=True))
                self._at(at, lambda: self._report(event, given))
            case [trigger, "is", level, line]:
                state = AlertState.RESOLVED if level == "ok" else AlertState.FIRING
                self._at(at, lambda: self._match(trigger, line, alert_state=state, outcome=level))
            case ["send", title, *options, number, "times", "every", every]:
                given = dict(zip(options[::2], options[1::2], strict=True))
                for index in range(int(number)):
                    self._at(at + index * parse_duration(every), lambda: self._send(title, given))
            case ["send", title, *options]:
                given = dict(zip(options[::2], options[1::2], strict=True))
                self._at(at, lambda: self._send(title, given))
            case ["cancel", key]:
                self._at(at, lambda: self._feed(Cancelled(PEER, key=key)))
            case ["mute", "everything", "for", time]:
                self._at(at, lambda: self._feed(Muted("", parse_duration(time))))
            case ["mute", trigger, "for", time]:
                self._at(at, lambda: self._feed(Muted(trigger, parse_duration(time))))
            case ["api", "is", "down"]:
                self._at(at, lambda: self._set_answer((0, "", "")))
            case ["api", "is", "well"]:
                self._at(at, lambda: self._set_answer(GOOD))
            case ["api", "answers", status]:
                self._at(at, lambda: self._set_answer((int(status), "", '{"success":false}')))
            case ["api", "answers", status, "retry-after", header]:
                self._at(at, lambda: self._set_answer((int(status), header, '{"success":false}')))
            case ["killed"]:
                self._at(at, lambda: self._stop(0.0))
            case ["stopped", "for", time]:
                self._at(at, lambda: self._stop(parse_duration(time)))
            case ["machine", "is", "off", "for", time]:
                self._at(at, lambda: self._stop(parse_duration(time), is_off=True))
            case ["clock", "jumps", time]:
                by = -parse_duration(time[1:]) if time.startswith("-") else parse_duration(time)
                self._at(at, lambda: self._jump(by))
            case _:
                raise AssertionError(f"not understood: {words}")

    def _at(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (MONO + at, next(self.numbers), action))

    # playing

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.history.now.mono - MONO

    def _run(self) -> None:
        self._ask()
        history, end = self.history, MONO + self.end
        while True:
            planned = self.agenda[0][0] if self.agenda else end
            history.move_to(min(planned, history.state.deadline(), end))
            if self.agenda and planned <= history.now.mono:
                heapq.heappop(self.agenda)[2]()
            elif history.now.mono >= end:
                return
            else:
                self._feed()

    def _feed(self, *inputs: object) -> None:
        self.history.feed(*inputs)
        self._ask()

    def _ask(self) -> None:
        """Plan the answers to new requests."""
        for mono, _ in self.history.sent[len(self.requests) :]:
            self.requests.append(mono)
            self._at(mono - MONO + TRAVEL, self._answer)

    def _answer(self) -> None:
        history = self.history
        attempt = history.attempts[-1]
        if attempt.id != history.in_flight:
            return  # the daemon was killed in between
        status, header, body = self.api_answer
        headers = {"Retry-After": header} if header else {}
        response = ApiResponse(fault="cannot connect")
        if status:
            response = parse_response(
                status, headers, body.encode(), secret="onp_x", token_name="a file"
            )
        outcome = decide_outcome(response, attempt, history.now, 0.5)
        if status == GOOD[0]:
            row, text = history.notifications[attempt.id], history.texts[attempt.id]
            self.arrivals.append(Arrival(self.now, text.title, text.body, row.count))
        self._feed(Settled(outcome))

    def _set_answer(self, api_answer: ApiAnswer) -> None:
        self.api_answer = api_answer

    def _match(
        self,
        trigger: str,
        line: str,
        number: int = 1,
        alert_state: AlertState = AlertState.NONE,
        outcome: str = "",
    ) -> None:
        compiled = self.pipeline.triggers[trigger]
        patterns = getattr(compiled.config, "patterns", [])
        found = next(filter(None, (re.search(pattern, line) for pattern in patterns)), None)
        fields = found.groupdict() if found and not alert_state else {}
        facts = {"event": "stale"} if alert_state else {}
        facts |= {"name": "train", "outcome": outcome} if outcome else {}
        wall = self.history.now.wall
        event = Event(trigger, wall, line, "/var/log/app.log", fields, facts, alert_state)
        self._feed(*[compiled.match(event)] * number)

    def _ping(self, name: str, signal: str, output: list[str]) -> None:
        """signal: `start` or, with the id of a run, `start/ID`."""
        word, _, run = signal.partition("/")
        given = parse_signal(word)
        assert given, signal
        ping = Ping(name, given.signal, run, given.exit_status, " ".join(output))
        self._feed(Pinged(ping))

    def _report(self, event: str, options: dict[str, str]) -> None:
        """options: fields of the local API."""
        given: dict[str, object] = {"agent": "claude-code", "session": "s1", "project": "shop"}
        given |= {key: json.loads(text) if key in _JSON else text for key, text in options.items()}
        report = AgentReportBody.model_validate(given).report(AgentEvent(event))
        self._feed(AgentReported(report, PEER))

    def _send(self, title: str, options: dict[str, str]) -> None:
        self._feed(
            Submitted(
                Message(title, options.get("body", "")),
                Priority(options.get("priority", "default")),
                PEER,
                key=options.get("key", ""),
                delay=parse_duration(options.get("delay", "0s")),
            )
        )

    def _stop(self, down: float, *, is_off: bool = False) -> None:
        self.history.pause(down)
        self.history.restart(down if is_off else 0.0)
        self._ask()

    def _jump(self, by: float) -> None:
        now = self.history.now
        self.history.now = Now(now.mono, now.wall + by)
        if self.history.state.has_clock_jumped(self.history.now):
            self._feed()


def _start(line: str) -> float:
    _, day, clock, zone = line.split()
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ZoneInfo(zone)).timestamp()


async def _no_checkpoints() -> dict[str, str]:
    return {}
