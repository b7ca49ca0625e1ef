"""The daemon's status, metrics and health."""

import os
import time
from collections.abc import Callable, Mapping

from notifyd.api.spool import SpoolImporter
from notifyd.engine.configuration import Configuration
from notifyd.engine.engine import Engine
from notifyd.engine.gaps import Gap
from notifyd.model.notifications import Json
from notifyd.telemetry.own_status import build_own_status
from notifyd.telemetry.status import DaemonInfo, build_status, overall_health, status_line

_TOKEN_WORDS = {"missing": "no token", "unusable": "token unusable"}
"""The words of the status line for a token that is not ok."""


class DaemonStatus:
    """Builds what the local API and systemd show. configuration: returns the present one.

    last_gap, reload_error: set by the daemon. reload_error: why the last reload was refused; empty
    if it was not.
    """

    def __init__(
        self, engine: Engine, configuration: Callable[[], Configuration], spool: SpoolImporter
    ) -> None:
        self._engine, self._configuration, self._spool = engine, configuration, spool
        self._started = time.monotonic()
        self.last_gap: Gap | None = None
        self.reload_error = ""

    def build(self, per_hour: Mapping[str, float]) -> Json:
        """Return the whole status. per_hour: notifications of each trigger."""
        return build_status(self._engine.state, self._engine.now(), self._info(), per_hour)

    def build_own(self, uid: int) -> Json:
        """Return the status for a user who is not an admin."""
        return build_own_status(self._engine.state, self._engine.now(), self._info(), uid)

    def line(self) -> str:
        """Return the status in one line, for systemd."""
        configuration = self._configuration()
        return status_line(
            self._engine.state,
            configuration.pipeline.health(),
            store_error=self._engine.store_error,
            token_problem=_TOKEN_WORDS.get(configuration.token_state()[0], ""),
            reload_error=self.reload_error,
        )

    def metrics(self, uid: int | None) -> bytes:
        """Return the metrics of the whole status, or of a user's own."""
        from notifyd.telemetry.metrics import render_metrics  # noqa: PLC0415 - loaded on first use

        return render_metrics(self.build({}) if uid is None else self.build_own(uid))

    def health(self) -> tuple[bool, str]:
        """Return whether the daemon is healthy, and one word for its state."""
        send_state = self._engine.state.global_state.send_state
        sources = self._configuration().pipeline.health()
        return overall_health(send_state, self._engine.store_error, sources)

    def _info(self) -> DaemonInfo:
        configuration = self._configuration()
        settings, token = configuration.settings, configuration.token
        token_state, token_problem = configuration.token_state()
        return DaemonInfo(
            store_error=self._engine.store_error,
            sources=[*configuration.pipeline.health(), *self._spool.health()],
            trigger_types={name: trigger.type for name, trigger in settings.triggers.items()},
            token_name=token.name,
            token_state=token_state,
            token_problem=token_problem,
            api_url=settings.api.url,
            uptime=time.monotonic() - self._started,
            reload_error=self.reload_error,
            delivery=self._engine.delivery_reporter.summary(),
            config_file=str(configuration.file or ""),
            gap=_describe_gap(self.last_gap),
            pid=os.getpid(),
        )


def _describe_gap(gap: Gap | None) -> Json | None:
    if gap is None:
        return None
    return {"kind": gap.kind.value, "seconds": round(gap.seconds, 1), "at": gap.ended}
