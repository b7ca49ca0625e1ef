"""Checks across the keys that one type of trigger has."""

import re
from collections.abc import Collection, Iterable

from notifyd.config import patterns
from notifyd.config.errors import ConfigPath, ErrorReport, with_paths
from notifyd.config.record_starts import RECORD_STARTS
from notifyd.config.resource_consistency import check_resource
from notifyd.config.triggers import (
    AnyTrigger,
    CommandTriggerConfig,
    FileTriggerConfig,
    HeartbeatTriggerConfig,
    LogTriggerConfig,
    OblienTriggerConfig,
    ProcessTriggerConfig,
    ResourceTriggerConfig,
    ScheduleTriggerConfig,
    UnitTriggerConfig,
)
from notifyd.model.notifications import Json
from notifyd.text.suggestions import did_you_mean

_FILE_KEYS = {
    "encoding": "applies only to files, because the journal is read as UTF-8",
    "format": "applies only to files, because the journal holds unwrapped messages",
    "flush_partial": "applies only to files, because journal entries are always complete",
}
_MAGIC = frozenset("*?[")
_BRACES = re.compile(r"\{[^{}/]*,[^{}/]*\}")
_CRON_SIZES = {"minute": 60, "hour": 24, "day": 31, "month": 12, "day of the week": 7}
"""The fields of a cron expression in their order, with their number of values."""
_GROUP_KEYS = ("group_by", "max_groups", "threshold")
"""The keys that a heartbeat and a check ignore, because they are one condition."""
_PROCESS_KEYS = ("name", "cmdline", "pidfile", "pid")


def check_type_keys(
    path: ConfigPath,
    trigger: AnyTrigger,
    raw: Json,
    invalid: Collection[str],
    report: ErrorReport,
) -> None:
    """Check the keys that the type of a trigger has.

    raw: the table as written. invalid: the keys whose values in `trigger` are placeholders.
    """
    if isinstance(trigger, LogTriggerConfig):
        _check_patterns(path, trigger, raw, report)
        _check_journal(path, trigger, raw, report)
        _check_levels(path, trigger, invalid, report)
        _check_stalled(path, trigger, raw, invalid, report)
        needs_patterns = trigger.stale is None or trigger.stale_match
        if "patterns" not in raw and needs_patterns:
            report.error((*path, "patterns"), "required key is missing")
    if isinstance(trigger, OblienTriggerConfig):
        _check_oblien(path, trigger, raw, invalid, report)
    if isinstance(trigger, ResourceTriggerConfig):
        check_resource(path, trigger, raw, invalid, report)
    if isinstance(trigger, CommandTriggerConfig):
        _check_command(path, trigger, raw, invalid, report)
    if isinstance(trigger, ProcessTriggerConfig):
        _check_process(path, trigger, invalid, report)
    if isinstance(trigger, LogTriggerConfig | FileTriggerConfig):
        _check_paths(path, trigger, raw, report)
    if isinstance(trigger, FileTriggerConfig) and trigger.events == [] and trigger.stale is None:
        report.error((*path, "events"), "must not be empty without `stale`")
    if isinstance(trigger, HeartbeatTriggerConfig):
        _check_heartbeat(path, trigger, raw, invalid, report)
    if isinstance(trigger, UnitTriggerConfig):
        _check_units(path, trigger, raw, report)
    if isinstance(trigger, ScheduleTriggerConfig | HeartbeatTriggerConfig) and trigger.cron:
        _check_steps((*path, "cron"), trigger.cron, report)


def _check_paths(
    path: ConfigPath,
    trigger: LogTriggerConfig | FileTriggerConfig,
    raw: Json,
    report: ErrorReport,
) -> None:
    """Warn about paths that probably name no file."""
    for item, value in with_paths(path, raw, "paths", trigger.paths):
        if value != value.strip():
            reason = "begins or ends with a blank, which is part of the file's name; remove it"
            report.warning(item, reason, value)
        if _BRACES.search(value):
            reason = "braces are not expanded and stand for themselves; list each path"
            report.warning(item, reason, value)
        is_meant = isinstance(trigger, FileTriggerConfig) and not _MAGIC.isdisjoint(value)
        if value.endswith("/") and not is_meant:
            report.warning(item, f"names a directory; use '{value}*' for the files in it", value)


def _check_steps(path: ConfigPath, cron: str, report: ErrorReport) -> None:
    """Warn about steps larger than their field, which leave only its first value."""
    for (name, size), field in zip(_CRON_SIZES.items(), cron.split(), strict=True):
        for step in re.findall(r"(?:^|,)\*/([0-9]+)", field):
            if int(step) >= size:
                reason = f"*/{step} means only the first {name} of all {size}; list the times"
                report.warning(path, reason, cron)


def _check_patterns(
    path: ConfigPath, trigger: LogTriggerConfig, raw: Json, report: ErrorReport
) -> None:
    spans_lines = trigger.multiline is not None or bool(trigger.journal)
    for key, values in (("patterns", trigger.patterns), ("exclude", trigger.exclude)):
        for item, pattern in with_paths(path, raw, key, values):
            warnings = patterns.pattern_warnings(
                pattern, spans_lines=spans_lines, sees_visible_text=not trigger.raw
            )
            _report_warnings(item, pattern, warnings, report)
    is_preset = raw.get("multiline") in RECORD_STARTS  # ours, and not what the user wrote
    if trigger.multiline is not None and not is_preset:
        warnings = patterns.pattern_warnings(trigger.multiline, sees_visible_text=not trigger.raw)
        _report_warnings((*path, "multiline"), trigger.multiline, warnings, report)
        if trigger.multiline.isalpha() and (hint := did_you_mean(trigger.multiline, RECORD_STARTS)):
            reason = f"is taken as a pattern{hint}"
            report.warning((*path, "multiline"), reason, trigger.multiline)
    if trigger.stale_match and trigger.stale is None:
        report.warning((*path, "stale_match"), "has no effect without `stale`")


def _check_stalled(
    path: ConfigPath,
    trigger: LogTriggerConfig,
    raw: Json,
    invalid: Collection[str],
    report: ErrorReport,
) -> None:
    if trigger.stalled is None:
        return
    if trigger.stale is not None:
        reason = "cannot be combined with `stale`: a log without lines has no progress either"
        report.error((*path, "stalled"), f"{reason}; remove one")
    if "patterns" not in raw or "patterns" in invalid or trigger.has_json_fields:
        return
    if "progress" not in patterns.named_groups(trigger.patterns):
        reason = r"requires a pattern with a group named progress, such as '(?P<progress>\d+)%'"
        report.error((*path, "stalled"), reason)


def _check_levels(
    path: ConfigPath, trigger: LogTriggerConfig, invalid: Collection[str], report: ErrorReport
) -> None:
    if not trigger.levels or "format" in invalid:
        return
    if not trigger.has_json_fields:
        report.error((*path, "levels"), 'requires `format = "json"`: plain lines have no level')
    elif trigger.multiline is not None:
        report.error((*path, "levels"), "cannot be combined with `multiline`")


def _report_warnings(
    path: ConfigPath, pattern: str, warnings: Iterable[str], report: ErrorReport
) -> None:
    for warning in warnings:
        report.warning(path, warning, pattern)


def _check_journal(
    path: ConfigPath, trigger: LogTriggerConfig, raw: Json, report: ErrorReport
) -> None:
    if "paths" in raw and "journal" in raw:
        report.error((*path, "journal"), "cannot be combined with `paths`")
    elif "journal" not in raw:
        if "paths" not in raw:
            report.error(path, "requires `paths` or `journal`")
        return
    for key, reason in _FILE_KEYS.items():
        if key in raw:
            report.error((*path, key), f"{reason}; remove it")
    for item, name in with_paths(path, raw, "group_by", trigger.group_by or []):
        if name == "path":
            report.warning(item, "has no effect: journal entries have no path", name)
    for item, unit in with_paths(path, raw, "journal", trigger.journal):
        if "@." in unit:
            reason = f"a template unit has no entries; use {_instances(unit)} for its instances"
            report.warning(item, reason, unit)


def _check_units(
    path: ConfigPath, trigger: UnitTriggerConfig, raw: Json, report: ErrorReport
) -> None:
    for item, unit in with_paths(path, raw, "units", trigger.units):
        if "@." in unit:
            reason = f"a template unit never runs; use {_instances(unit)} for its instances"
            report.warning(item, reason, unit)
    if "tail_lines" in raw and trigger.on == ["started"]:
        report.warning((*path, "tail_lines"), "has no effect: only failures show log lines")


def _instances(template: str) -> str:
    """Return the pattern of all instances of a template unit."""
    return template.replace("@.", "@*.")


def _check_process(
    path: ConfigPath,
    trigger: ProcessTriggerConfig,
    invalid: Collection[str],
    report: ErrorReport,
) -> None:
    given = [key for key in _PROCESS_KEYS if key in invalid or getattr(trigger, key) is not None]
    if not given:
        report.error(path, f"requires one of: {', '.join(_PROCESS_KEYS)}")
    for key in given[1:]:
        if (given[0], key) != ("name", "cmdline"):
            report.error((*path, key), f"cannot be combined with `{given[0]}`")
    if trigger.cmdline is not None:
        warnings = patterns.pattern_warnings(trigger.cmdline, spans_lines=True)
        _report_warnings((*path, "cmdline"), trigger.cmdline, warnings, report)


def _check_command(
    path: ConfigPath,
    trigger: CommandTriggerConfig,
    raw: Json,
    invalid: Collection[str],
    report: ErrorReport,
) -> None:
    for key in _GROUP_KEYS:
        if key in raw:
            report.warning((*path, key), "has no effect: a check is one condition")
    if "check" in invalid:
        return
    if trigger.check == "value":
        if trigger.when is None and "when" not in invalid:
            reason = 'required key is missing; check = "value" compares by it, for example "> 90"'
            report.error((*path, "when"), reason)
    elif "when" in raw:
        report.error((*path, "when"), 'applies only to check = "value"; remove it')


def _check_oblien(
    path: ConfigPath,
    trigger: OblienTriggerConfig,
    raw: Json,
    invalid: Collection[str],
    report: ErrorReport,
) -> None:
    given = [key for key in ("get", "webhook") if key in invalid or getattr(trigger, key)]
    if not given:
        report.error(path, "requires `get` or `webhook`")
    elif len(given) > 1:
        report.error((*path, "webhook"), "cannot be combined with `get`")
    elif given == ["webhook"]:
        for key in ("every", "value", "when"):
            if key in raw:
                report.error((*path, key), "applies only to `get`; remove it")


def _check_heartbeat(
    path: ConfigPath,
    trigger: HeartbeatTriggerConfig,
    raw: Json,
    invalid: Collection[str],
    report: ErrorReport,
) -> None:
    given = [key for key in ("every", "cron") if key in invalid or getattr(trigger, key)]
    if not given:
        report.error(path, "requires `every` or `cron`")
    elif len(given) > 1:
        report.error((*path, "cron"), "cannot be combined with `every`")
    if trigger.timezone is not None and "cron" not in given:
        report.warning((*path, "timezone"), "has no effect without `cron`")
    for key in ("for", "clear"):
        if key in raw:
            reason = "does not apply to heartbeats; `grace` says how late a ping may be; remove it"
            report.error((*path, key), reason)
    for key in _GROUP_KEYS:
        if key in raw:
            report.warning((*path, key), "has no effect: a heartbeat is one condition")
