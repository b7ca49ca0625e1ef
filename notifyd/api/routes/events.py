"""Events as they happen: `GET /v1/events`."""

from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus

from aiohttp import web

from notifyd.api.auth import ApiCaller
from notifyd.api.control import Control
from notifyd.api.event_log import EventKind, EventLog, LiveEvent
from notifyd.api.routes.notifications import DECIDED, NOT_SENT
from notifyd.api.schemas import EventParameters
from notifyd.api.times import with_iso_times
from notifyd.http.event_stream import EventStream, OpenStreams, StreamPlace
from notifyd.http.operations import EVENTS, Operation
from notifyd.http.request import Request
from notifyd.http.routing import HttpRoute
from notifyd.model.notifications import Json

MOST_STREAMS = 128
"""Streams of one listener at once. Only their own limit counts for admins."""
STREAMS_PER_USER = 16

_BATCH = 100
"""Events sent before other tasks get a turn."""


class EventRoutes:
    def __init__(self, control: Control) -> None:
        self._control = control
        self._streams = OpenStreams(
            most=MOST_STREAMS,
            per_client=STREAMS_PER_USER,
            noun="event streams",
            code="too_many_streams",
        )

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [
            HttpRoute(
                "GET",
                "/v1/events",
                self._stream,
                head=False,
                operation=Operation(
                    "Follow events as they happen",
                    query=EventParameters,
                    answers={HTTPStatus.OK: EVENTS},
                ),
            )
        ]

    def stop(self) -> None:
        """End every stream once it has sent what is left: the daemon is shutting down."""
        self._streams.close()

    async def _stream(self, request: Request[ApiCaller]) -> web.StreamResponse:
        caller, log = request.client, self._control.event_log
        trigger = request.query(EventParameters).trigger
        if trigger and caller.admin:  # others learn nothing about triggers
            self._control.require_trigger(trigger)
        with (
            self._streams.admit(caller.share_key, is_privileged=caller.admin) as place,
            log.follow(place.changed.set),
        ):
            last_id = request.headers.get("Last-Event-ID", "")
            follower = _Follower(log, caller, trigger, last_id)
            place.stream = stream = await EventStream.open(request.http, {})
            with suppress(ConnectionError):  # the client has closed
                await stream.comment(await self._send_events(stream, place, follower))
        return stream.response

    async def _send_events(
        self, stream: EventStream, place: StreamPlace, follower: "_Follower"
    ) -> str:
        """Send the events that a client missed, then each new one; return why that ends."""
        if follower.gap:
            await stream.send("gap", {"reason": follower.gap}, follower.event_id)
        is_live = False
        while not follower.has_lost_events:
            place.changed.clear()
            for event in follower.next_events():
                data = follower.visible(event)
                if data is not None:
                    await stream.send(event.kind, data, follower.event_id)
            if follower.is_behind:
                continue
            if not is_live:
                await stream.send("live", {}, follower.event_id)
                is_live = True
            if self._streams.is_closing:
                return "the daemon is shutting down"
            if follower.is_cut:
                return "the configuration was reloaded; reconnect"
            if not await place.wait():
                await stream.keep_alive(follower.event_id)
        return "too slow: events were lost; reconnect"


class _Follower:
    """One client's position in the log, and what it may see. number: of the last event it got."""

    def __init__(self, log: EventLog, caller: ApiCaller, trigger: str, last_id: str) -> None:
        self._log, self._caller, self._trigger = log, caller, trigger
        self._cuts = log.cuts
        self._number, self.gap = log.resume(last_id)

    @property
    def event_id(self) -> str:
        return self._log.event_id(self._number)

    @property
    def has_lost_events(self) -> bool:
        return self._log.has_lost(self._number)

    @property
    def is_behind(self) -> bool:
        return self._number < self._log.newest

    @property
    def is_cut(self) -> bool:
        return self._log.cuts != self._cuts

    def next_events(self) -> Iterator[LiveEvent]:
        """Yield some of the events that follow; each counts as received once it is yielded."""
        for number, event in self._log.after(self._number, _BATCH):
            self._number = number
            yield event

    def visible(self, event: LiveEvent) -> Json | None:
        """Return what the client sees of an event; None for one that it does not see."""
        uid = self._caller.visible_uid
        if (uid is not None and event.uid != uid) or self._trigger not in ("", event.trigger):
            return None
        data = event.data
        if not self._caller.admin and event.kind is EventKind.DELIVERY and "error" in data:
            is_own = data["outcome"] in DECIDED
            data = data if is_own else data | {"error": NOT_SENT}
        return with_iso_times(data)
