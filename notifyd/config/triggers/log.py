"""The keys of triggers on logs and on the systemd journal."""

from typing import Annotated, Literal

from pydantic import Field

from notifyd.config.sections import LineCount, Positive
from notifyd.config.times import Size
from notifyd.config.triggers.base import TriggerConfig
from notifyd.config.values.lists import Names
from notifyd.config.values.paths import NonEmptyPathPatterns
from notifyd.config.values.system import NonEmptyUnitPatterns
from notifyd.config.values.text import (
    Encoding,
    FormatName,
    Formats,
    NonEmptyPatterns,
    Patterns,
    RecordStart,
)


def _text_format() -> list[FormatName]:
    return ["text"]


class LogTriggerConfig(TriggerConfig):
    type: Literal["log"] = "log"
    paths: NonEmptyPathPatterns = Field(default_factory=list)
    """Files to read: absolute or beginning with `~`, globs with `**` allowed. They need not exist
    yet. Either `paths` or `journal` is required."""
    journal: NonEmptyUnitPatterns = Field(default_factory=list)
    """Units of the systemd journal to read instead of files: names, globs, or `"*"` for all. A name
    without a suffix means a service."""
    patterns: NonEmptyPatterns = Field(default_factory=list)
    """Python regular expressions, searched for in each line. Named groups become fields."""
    exclude: Patterns = Field(default_factory=list)
    """Regular expressions. A line that matches one of them does not count."""
    read_from: Literal["end", "beginning"] = "end"
    """Where to start in files and entries that exist when the trigger first sees them. Files that
    appear later are read from their beginning."""
    catch_up: Size = 64 << 20
    """How much of a file is read at most when reading starts at its beginning."""
    max_line: Annotated[Size, Field(ge=80, le=256 << 10)] = 64 << 10
    """Patterns see this much of a line's visible text; between 80 B and 256 KiB."""
    encoding: Encoding = "utf-8"
    """Python codec in which a newline is the single byte LF. Files only."""
    format: Formats = Field(default_factory=_text_format)
    """What wraps the lines: `json` for loggers that write JSON, `docker` for Docker's json-file
    logs, `cri` for those of containerd, CRI-O and Podman, `["docker", "json"]` or `["cri", "json"]`
    for containers that write JSON. Messages are unwrapped, and joined where the runtime split them,
    before patterns see them. The message of a JSON line is its `msg`, `message`, `event` or `log`;
    all keys are fields, nested ones as `http.status`, and `level` is one whatever the logger calls
    it. A line in another format counts as it is. Files only."""
    levels: Names = Field(default_factory=list)
    """With `format = "json"`: only lines with one of these levels count, such as
    `["error", "fatal"]`. Default: all lines."""
    raw: bool = False
    """Match the lines as they are in the file. Default: patterns, `multiline`, fields and
    notifications see what a terminal shows: without escape sequences, and of a line that carriage
    returns overwrite only the last text."""
    before: LineCount = 0
    """Lines before a match that come with it; at most 50."""
    after: LineCount = 0
    """Lines after a match that come with it; at most 50."""
    multiline: RecordStart | None = None
    """Regular expression of a record's first line, or a ready-made one: `python`, `java` and `go`
    keep the lines of a trace together, `timestamp` begins a record at each line that begins with a
    date or time. Patterns then see the whole record. A record ends where the next begins or after
    one second without a line."""
    flush_partial: Positive | None = None
    """An unfinished last line counts after this long. Default: never. Files only."""
    stale: Positive | None = None
    """Report when no line has come for this long."""
    stale_match: bool = False
    """With `stale`: only matching lines count."""
    stalled: Positive | None = None
    """Report when the number in the group `progress` of a pattern has stood still for this long,
    also in a progress bar or an unfinished line. Lines with a number are watched and not reported
    themselves. A number is watched from when it first moves until it is complete: `100%`, `7/7`,
    equal to the group `total`, or until a line has the group `done`."""

    @property
    def has_conditions(self) -> bool:
        return self.stale is not None or self.stalled is not None

    @property
    def wrapping_formats(self) -> tuple[str, ...]:
        """The formats that wrap the lines, the outer one first; empty for plain text."""
        return () if self.format == _text_format() else tuple(self.format)

    @property
    def has_json_fields(self) -> bool:
        """Whether keys of JSON lines are fields, so that not all fields are known."""
        return "json" in self.format
