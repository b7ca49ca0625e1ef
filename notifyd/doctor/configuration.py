"""Check: the configuration, read and built as the daemon would build it."""

import os
import re
from collections.abc import Iterator
from typing import cast

from notifyd.config.errors import with_paths
from notifyd.config.load import LoadedConfig, load
from notifyd.config.patterns import may_match_every_line
from notifyd.config.settings import Settings
from notifyd.config.token import ListenSecrets, find_listen_token, find_webhook_secret
from notifyd.config.triggers import FileTriggerConfig, LogTriggerConfig, ResourceTriggerConfig
from notifyd.doctor.finding import CheckOutcome, Finding, Severity
from notifyd.doctor.subject import Subject
from notifyd.matching.approximate import approximate, approximate_in_records
from notifyd.model.errors import ConfigError
from notifyd.model.notifications import Json
from notifyd.sources.probes.resources.gpu import missing_library
from notifyd.triggers import Trigger

_UNREADABLE = re.compile(
    r"[^:]*: (?P<reason>.*); grant read access to user (?P<user>\S+) \((?P<path>.*)\)"
)
"""What the configuration says of a file of its own that this user may not read."""


def check(subject: Subject) -> CheckOutcome:
    name = str(subject.config or "no file, using defaults")
    try:
        loaded = load(subject.config, subject.environ)
        build_configuration(loaded)
    except ConfigError as error:
        return CheckOutcome(name, [_fault(subject, problem) for problem in error.problems])
    settings = loaded.settings
    warnings = [*loaded.warnings, *secret_warnings(settings), *missing_libraries(settings)]
    findings = [Finding.from_sentence(Severity.WARNING, warning) for warning in warnings]
    if not settings.triggers:
        findings.append(
            Finding.warning(
                "no triggers are configured, so nothing is watched", _how_to_begin(subject)
            )
        )
    return CheckOutcome(name, findings)


def _fault(subject: Subject, problem: str) -> Finding:
    if unreadable := _UNREADABLE.fullmatch(problem):
        user, path = unreadable["user"], unreadable["path"]
        fix = f"setfacl -m u:{user}:r {path}, or chmod o+r {path}, as root"
        return Finding.fault(f"{path}: {unreadable['reason']}", fix)
    return Finding.fault(problem, f"edit {subject.config}")


def _how_to_begin(subject: Subject) -> str:
    return f"edit {subject.config}" if subject.files else "notifyd init"


def build_configuration(loaded: LoadedConfig) -> None:
    """Build what can be built without starting it, and add warnings to the report. ConfigError."""
    settings = loaded.settings
    ListenSecrets.read(settings.listen, settings.webhooks)
    for name, trigger in settings.triggers.items():
        Trigger(name, trigger, settings.defaults)
    _warn_of_slow_patterns(loaded)
    _warn_of_directories(loaded)


def reads_journal(settings: Settings) -> bool:
    """Return whether a trigger reads entries of the journal."""
    return any(
        isinstance(trigger, LogTriggerConfig) and trigger.journal
        for trigger in settings.triggers.values()
    )


def missing_libraries(settings: Settings) -> Iterator[str]:
    """Yield which libraries that triggers need are not installed."""
    for name, trigger in settings.triggers.items():
        is_gpu = isinstance(trigger, ResourceTriggerConfig) and trigger.resource.startswith("gpu-")
        if is_gpu and (reason := missing_library()):
            yield f"{name}: {reason}"


def secret_warnings(settings: Settings) -> Iterator[str]:
    """Yield which files of secrets others can read or change; that of the send token aside."""
    for source in (find_listen_token(settings.listen), find_webhook_secret(settings.webhooks)):
        if source and source.warning:
            yield source.warning


def _warn_of_directories(loaded: LoadedConfig) -> None:
    """Add a warning for each path of a trigger that is a directory where files are meant."""
    raw = cast("dict[str, Json]", loaded.table.get("triggers", {}))
    for name, trigger in loaded.settings.triggers.items():
        if not isinstance(trigger, LogTriggerConfig | FileTriggerConfig):
            continue
        for item, path in with_paths(("triggers", name), raw[name], "paths", trigger.paths):
            if not path.endswith("/") and os.path.isdir(path):  # noqa: PTH112 - it may be a glob
                reason = f"is a directory; use '{path}/*' for the files in it"
                if isinstance(trigger, FileTriggerConfig):
                    reason += f", or '{path}/' for itself"
                loaded.report.warning(item, reason, path)


def _warn_of_slow_patterns(loaded: LoadedConfig) -> None:
    """Add a warning to the report for each pattern that no prefilter can narrow down."""
    raw = cast("dict[str, Json]", loaded.table.get("triggers", {}))
    for name, trigger in loaded.settings.triggers.items():
        if not isinstance(trigger, LogTriggerConfig):
            continue
        path, first_line = ("triggers", name), trigger.multiline
        in_records = first_line is not None
        find, unit = (approximate_in_records, "record") if in_records else (approximate, "line")
        for item, pattern in with_paths(path, raw[name], "patterns", trigger.patterns):
            reason = find(pattern, trigger.encoding).reason
            if reason and not may_match_every_line(pattern):
                loaded.report.warning(
                    item, f"slow: tried on every {unit}, because {reason}", pattern
                )
        reason = "" if first_line is None else approximate(first_line, trigger.encoding).reason
        if first_line is not None and reason and not may_match_every_line(first_line):
            loaded.report.warning(
                (*path, "multiline"), f"slow: tried on many lines, because {reason}", first_line
            )
