"""The keys of triggers on files."""

from typing import Annotated, Literal

from pydantic import Field

from notifyd.config.sections import Positive
from notifyd.config.times import Duration
from notifyd.config.triggers.base import TriggerConfig
from notifyd.config.values.lists import STRING_OR_LIST, UNIQUE
from notifyd.config.values.paths import IgnorePatterns, NonEmptyPathPatterns

FileChangeName = Literal["created", "modified", "deleted"]


class FileTriggerConfig(TriggerConfig):
    type: Literal["file"] = "file"
    paths: NonEmptyPathPatterns
    """Files to watch: globs with `**` allowed. They need not exist yet. A path that ends in a
    slash, such as `/data/runs/*/`, means directories; all others mean files."""
    events: Annotated[list[FileChangeName], UNIQUE, STRING_OR_LIST] | None = None
    """Any of `created`, `modified`, `deleted`; none, `[]`, only with `stale`. Default: created and
    deleted, and modified where `settle` is set."""
    ignore: IgnorePatterns = Field(default_factory=list)
    """Globs of paths to leave out. A name without a slash is ignored in every directory."""
    gitignore: bool = False
    """Leave out what the `.gitignore` files below the watched directory leave out, and those above
    it in the same repository; also `.git` itself. Of each file the first 1,000 rules in 64 KiB
    count."""
    settle: Duration | None = None
    """A file must stay unchanged for this long, and nobody may have it open for writing, before it
    counts. Of other users' files only root knows who has them open."""
    stale: Positive | None = None
    """Report when nothing has changed for this long: no file was created, modified or deleted."""

    @property
    def has_conditions(self) -> bool:
        return self.stale is not None
