"""Reports of daemons, and the list of workspaces for the page."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from aiohttp import web

from notifyd.http.errors import not_found, printable, rate_limited
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.http.responses import success
from notifyd.http.routing import HttpRoute
from notifyd.relay import fleet
from notifyd.relay.access import check_inbox_key, find_sender
from notifyd.relay.fleet_schemas import FleetParameters, ReportRequest, WatchRequest
from notifyd.relay.fleet_state import Announcement
from notifyd.relay.fleet_watch import FleetWatch
from notifyd.relay.store.base import RelayStore

_LEAST_INTERVAL = 1.0
"""Seconds between two reports of a workspace that announce nothing."""

_OVERLAP = 5.0
"""Seconds that a page asks for again: the clocks of several relays differ."""

_FOREVER = 1e12


class FleetRoutes:
    """ephemeral: patterns of the names of workspaces that come and go."""

    def __init__(
        self,
        store: RelayStore,
        watch: FleetWatch,
        wall: Callable[[], float],
        ephemeral: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._watch = watch
        self._wall = wall
        self._ephemeral = ephemeral
        self._reported_at: dict[str, float] = {}

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        return [
            HttpRoute("POST", "/fleet/report", self._report),
            HttpRoute("GET", "/inbox/fleet", self._list),
            HttpRoute("POST", "/inbox/fleet", self._change),
        ]

    async def _report(self, request: Request[RemoteClient]) -> web.Response:
        token = await find_sender(self._store, request)
        body = await request.json(ReportRequest, any_content_type=True)
        wall, workspace_id = self._wall(), token.workspace_id
        wait = self._reported_at.get(workspace_id, -_FOREVER) + _LEAST_INTERVAL - wall
        if body.announcement is Announcement.NONE and 0 < wait <= _LEAST_INTERVAL:
            sentence = f"workspace {workspace_id} reports too often"
            raise rate_limited("rate_limited", sentence, wait)
        self._reported_at[workspace_id] = wall
        names = (workspace_id, body.host)
        matches = any(fnmatchcase(name, each) for name in names for each in self._ephemeral)
        await self._store.run(
            fleet.record,
            workspace_id,
            body.report(),
            wall,
            is_ephemeral=body.ephemeral or matches,
        )
        self._watch.note_change()
        return success(workspace_id=workspace_id)

    async def _list(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        since, now = request.query(FleetParameters).since, self._wall()
        listed = await self._store.read(fleet.list_workspaces, since)
        return success(
            workspaces=[each.as_json(now, listed.quiet_until) for each in listed.workspaces],
            total=listed.total,
            now=now,
            next=now - _OVERLAP,
        )

    async def _change(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        body = await request.json(WatchRequest, any_content_type=True)
        workspace_id, wall = body.workspace_id, self._wall()
        match body.action:
            case "pause":
                until = _FOREVER if body.seconds is None else wall + body.seconds
                done = await self._store.run(fleet.pause, workspace_id, until, wall)
            case "resume":
                done = await self._store.run(fleet.pause, workspace_id, None, wall)
            case "forget":
                done = await self._store.run(fleet.forget, workspace_id)
            case kind:
                done = await self._store.run(fleet.watch_as, workspace_id, kind, wall)
        if not done:
            raise not_found(f"no workspace {printable(workspace_id)} has reported")
        self._watch.note_change()
        return success()
