"""Mistakes that no key has alone: keys that contradict each other, names that nothing has."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from notifyd.config import patterns, templates
from notifyd.config.errors import ConfigPath, ErrorReport
from notifyd.config.triggers import (
    AnyTrigger,
    LogTriggerConfig,
    ProcessTriggerConfig,
    ShapingConfig,
)
from notifyd.model.notifications import Json
from notifyd.text.durations import format_duration
from notifyd.text.limits import OURS
from notifyd.text.suggestions import did_you_mean

_GROUPING = ("path", "line", "pid", "name", "unit")
"""What `group_by` may name besides the patterns' groups."""
_FILES_ONLY = {
    "encoding": "is for files: a journal is read as UTF-8",
    "flush_partial": "is for files: an entry of a journal is always whole",
}
_WHICH = ("name", "cmdline", "pidfile", "pid")


def check_defaults(
    defaults: ShapingConfig, triggers: Sequence[AnyTrigger], report: ErrorReport
) -> None:
    """Check [defaults] in itself and against the triggers that take them."""
    if defaults.debounce is not None and defaults.max_wait is not None:
        _check_wait(defaults.max_wait, defaults.debounce, ("defaults", "max_wait"), report)
    _check_cooldown(defaults, ("defaults",), report)
    logs = [trigger for trigger in triggers if isinstance(trigger, LogTriggerConfig)]
    known = {*_GROUPING}.union(*(patterns.named_groups(trigger.patterns) for trigger in logs))
    for index, name in enumerate(defaults.group_by or () if triggers else ()):
        if name not in known:
            _no_group(("defaults", "group_by", index), name, known, report)


def check_mutes(table: Json, report: ErrorReport) -> None:
    """Check that each mute that [defaults] or a trigger names is there."""
    mutes, triggers = table.get("mute"), table.get("triggers")
    known = mutes.keys() if isinstance(mutes, dict) else ()
    places: dict[ConfigPath, object] = {("defaults",): table.get("defaults")}
    if isinstance(triggers, dict):
        places |= {("triggers", name): trigger for name, trigger in triggers.items()}
    for place, shaping in places.items():
        raw = shaping if isinstance(shaping, dict) else {}
        names = raw.get("mute", [])
        listed = names if isinstance(names, list) else [names]
        wanted = [name for name in listed if isinstance(name, str)]
        for item, name in items(place, raw, "mute", wanted):
            if name not in known:
                report.wrong(item, f"there is no [mute.{name}]{did_you_mean(name, known)}", name)


def check(
    name: str,
    trigger: AnyTrigger,
    raw: Json,
    broken: Collection[str],
    *,
    defaults: ShapingConfig,
    report: ErrorReport,
) -> None:
    """Check a trigger whose keys are right one by one, apart from `broken` ones.

    `trigger` has stand-ins for those; `raw` is the table as it was written.
    """
    place = ("triggers", name)
    _check_times(place, trigger, broken, defaults, report)
    if isinstance(trigger, LogTriggerConfig):
        _check_patterns(place, trigger, raw, report)
        _check_journal(place, trigger, raw, report)
        alone = trigger.stale is not None and not trigger.stale_match
        if "patterns" not in raw and not alone:
            report.wrong((*place, "patterns"), "is missing")
    if isinstance(trigger, ProcessTriggerConfig):
        _check_process(place, trigger, broken, report)
    _check_names(place, trigger, raw, report)
    if trigger.window is not None and trigger.shaping(defaults).threshold == 1:
        report.doubtful((*place, "window"), "has no effect without a threshold")
    for key in ("repeat", "resolve") if not trigger.lasting else ():
        if getattr(trigger, key) is not None:
            report.doubtful((*place, key), "has no effect: nothing lasts here, as with stale")
    for key in OURS & trigger.data.keys():
        report.doubtful((*place, "data", key), "is replaced by notifyd's own entry of this name")


def _check_times(
    place: ConfigPath,
    trigger: AnyTrigger,
    broken: Collection[str],
    defaults: ShapingConfig,
    report: ErrorReport,
) -> None:
    _check_cooldown(trigger, place, report)
    shaping = trigger.shaping(defaults)
    if {"debounce", "max_wait"}.intersection(broken) or shaping.max_wait >= shaping.debounce:
        return
    if trigger.max_wait is not None:
        _check_wait(shaping.max_wait, shaping.debounce, (*place, "max_wait"), report)
    elif trigger.debounce is not None:
        limit = format_duration(shaping.max_wait)
        report.wrong(
            (*place, "debounce"),
            f"is longer than max_wait of [defaults], {limit}: set max_wait here as well",
            format_duration(shaping.debounce),
        )
    elif defaults.debounce is None:
        _check_wait(shaping.max_wait, shaping.debounce, ("defaults", "max_wait"), report)


def _check_wait(max_wait: float, debounce: float, place: ConfigPath, report: ErrorReport) -> None:
    if max_wait < debounce:
        why = f"is less than debounce, {format_duration(debounce)}: it must be at least as long"
        report.wrong(place, why, format_duration(max_wait))


def _check_cooldown(shaping: ShapingConfig, place: ConfigPath, report: ErrorReport) -> None:
    most, cooldown = shaping.cooldown_max, shaping.cooldown
    if most is not None and cooldown is not None and most < cooldown:
        why = f"is less than cooldown, {format_duration(cooldown)}: it must be at least as long"
        report.wrong((*place, "cooldown_max"), why, format_duration(most))


def _check_patterns(
    place: ConfigPath, trigger: LogTriggerConfig, raw: Json, report: ErrorReport
) -> None:
    for key, values in (("patterns", trigger.patterns), ("exclude", trigger.exclude)):
        for item, pattern in items(place, raw, key, values):
            for doubt in patterns.doubts(pattern):
                report.doubtful(item, doubt, pattern)
    for doubt in patterns.doubts(trigger.multiline) if trigger.multiline is not None else ():
        report.doubtful((*place, "multiline"), doubt, trigger.multiline)
    if trigger.stale_match and trigger.stale is None:
        report.doubtful((*place, "stale_match"), "has no effect without stale")


def _check_journal(
    place: ConfigPath, trigger: LogTriggerConfig, raw: Json, report: ErrorReport
) -> None:
    if "paths" in raw and "journal" in raw:
        report.wrong((*place, "journal"), "cannot stand beside paths: give only one of them")
    elif "journal" not in raw:
        if "paths" not in raw:
            report.wrong(place, "needs paths or journal, to say which lines are meant")
        return
    for key, why in _FILES_ONLY.items():
        if key in raw:
            report.wrong((*place, key), f"{why}; remove it")
    for item, name in items(place, raw, "group_by", trigger.group_by or []):
        if name == "path":
            report.doubtful(item, "has no effect: an entry of a journal has no path", name)
    for item, unit in items(place, raw, "journal", trigger.journal):
        if "@." in unit:
            named = unit.replace("@.", "@*.")
            report.doubtful(
                item,
                f"is a template, of which nothing is ever written: write {named} for its units",
                unit,
            )


def _check_process(
    place: ConfigPath, trigger: ProcessTriggerConfig, broken: Collection[str], report: ErrorReport
) -> None:
    given = [key for key in _WHICH if key in broken or getattr(trigger, key) is not None]
    if not given:
        report.wrong(place, f"needs one of {', '.join(_WHICH)}, to say which process is meant")
    for key in given[1:]:
        report.wrong((*place, key), f"cannot stand beside {given[0]}: give only one of them")
    if trigger.cmdline is not None:
        for doubt in patterns.doubts(trigger.cmdline):
            report.doubtful((*place, "cmdline"), doubt, trigger.cmdline)


def _check_names(place: ConfigPath, trigger: AnyTrigger, raw: Json, report: ErrorReport) -> None:
    written = raw.get("patterns", []) if isinstance(trigger, LogTriggerConfig) else []
    written = [written] if isinstance(written, str) else written
    if not isinstance(written, list):
        return
    groups = patterns.named_groups(pattern for pattern in written if isinstance(pattern, str))
    known = groups.union(_GROUPING)
    for item, name in items(place, raw, "group_by", trigger.group_by or []):
        if name not in known:
            _no_group(item, name, known, report)
    for key in ("title", "body"):
        for name in dict.fromkeys(templates.groups(str(raw.get(key, "")))):
            if name not in groups:
                meant = did_you_mean(name, groups, prefix="fields.")
                report.wrong((*place, key), f"no pattern has a group named '{name}'{meant}", name)


def items(
    place: ConfigPath, raw: Json, key: str, values: Sequence[str]
) -> Iterator[tuple[ConfigPath, str]]:
    """Say where each item stands: one string in place of a list has no [0]."""
    for index, value in enumerate(values):
        yield (*place, key, index) if isinstance(raw.get(key), list) else (*place, key), value


def _no_group(place: ConfigPath, name: str, known: Iterable[str], report: ErrorReport) -> None:
    others = ", ".join(_GROUPING)
    why = f"names no group of a pattern, and none of {others}{did_you_mean(name, known)}"
    report.wrong(place, why, name)
