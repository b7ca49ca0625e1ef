"""What a reload replaces as a whole."""

from dataclasses import dataclass
from pathlib import Path

from notifyd.config.settings import Settings
from notifyd.config.token import ListenSecrets, TokenSource
from notifyd.engine.pipeline import Pipeline
from notifyd.model.errors import NoTokenError, TokenError

_FIXED_SECTIONS = ("socket", "state")
"""Sections whose changes take effect at the next start only."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and what was built from them. secrets: of the TCP listener. file: the main one."""

    settings: Settings
    token: TokenSource
    secrets: ListenSecrets
    pipeline: Pipeline
    file: Path | None

    def token_state(self) -> tuple[str, str]:
        """Return whether the token is ok, missing or unusable, and what is wrong with it."""
        try:
            self.token.read()
        except NoTokenError as error:
            return "missing", str(error)
        except TokenError as error:
            return "unusable", str(error)
        return "ok", self.token.warning

    def sections_needing_restart(self, old: Settings) -> list[str]:
        """Return the sections that differ from `old` and take effect at the next start only."""
        new = self.settings
        changed = [name for name in _FIXED_SECTIONS if getattr(old, name) != getattr(new, name)]
        return changed if old.listen.tcp == new.listen.tcp else [*changed, "listen"]
