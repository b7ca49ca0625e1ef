"""Checks across keys: combinations that contradict each other, and names that are not defined."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from notifyd.config import patterns, templates
from notifyd.config.errors import ConfigPath, ErrorReport, with_paths
from notifyd.config.paths import is_loopback
from notifyd.config.sections import ListenConfig
from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import AnyTrigger, LogTriggerConfig, OblienTriggerConfig
from notifyd.config.type_consistency import check_type_keys
from notifyd.config.values.text import data_strings
from notifyd.model.notifications import Json
from notifyd.text.durations import format_duration
from notifyd.text.limits import RESERVED_KEYS
from notifyd.text.suggestions import did_you_mean

_GROUP_FIELDS = ("path", "line", "pid", "name", "unit", "outcome")
"""The fields that `group_by` accepts besides the named groups of patterns."""


def check_defaults(
    defaults: ShapingConfig, triggers: Sequence[AnyTrigger], report: ErrorReport
) -> None:
    """Check [defaults] by itself and against the triggers that use them."""
    if defaults.debounce is not None and defaults.max_wait is not None:
        _check_max_wait(("defaults", "max_wait"), defaults.max_wait, defaults.debounce, report)
    _check_cooldown(("defaults",), defaults, report)
    logs = [trigger for trigger in triggers if isinstance(trigger, LogTriggerConfig)]
    known = {*_GROUP_FIELDS}.union(*(patterns.named_groups(trigger.patterns) for trigger in logs))
    for index, name in enumerate(defaults.group_by or () if triggers else ()):
        if name not in known:
            _report_unknown_field(("defaults", "group_by", index), name, known, report)


def check_listen(listen: ListenConfig, invalid: Collection[str], report: ErrorReport) -> None:
    """Check the keys of [listen] against each other. invalid: the keys with invalid values."""
    if listen.tcp is None:
        for key in ("token_file", "ping_key") if "tcp" not in invalid else ():
            if getattr(listen, key) is not None:
                report.warning(("listen", key), "has no effect without `tcp`")
        return
    if listen.token_file is None and "token_file" not in invalid:
        reason = "required key is missing; clients of `tcp` need the token in this file"
        report.error(("listen", "token_file"), reason)
    if not is_loopback(listen.tcp.host):
        reason = (
            "other machines can reach this address, and the connection is not encrypted; "
            "use it only in a trusted network"
        )
        report.warning(("listen", "tcp"), reason, "{}:{}".format(*listen.tcp))


def check_mutes(table: Json, report: ErrorReport) -> None:
    """Check that every window named by `mute`, in [defaults] or a trigger, is defined."""
    mutes, triggers = table.get("mute"), table.get("triggers")
    known = mutes.keys() if isinstance(mutes, dict) else ()
    tables: dict[ConfigPath, object] = {("defaults",): table.get("defaults")}
    if isinstance(triggers, dict):
        tables |= {("triggers", name): trigger for name, trigger in triggers.items()}
    for path, shaping in tables.items():
        raw = shaping if isinstance(shaping, dict) else {}
        value = raw.get("mute", [])
        listed = value if isinstance(value, list) else [value]
        names = [name for name in listed if isinstance(name, str)]
        for item, name in with_paths(path, raw, "mute", names):
            if name not in known:
                fix = 'define it with `times`, for example times = ["22:00-07:00"]'
                hint = did_you_mean(name, known) or f"; {fix}"
                report.error(item, f"[mute.{name}] is not defined{hint}", name)


def check_trigger(
    name: str,
    trigger: AnyTrigger,
    raw: Json,
    invalid: Collection[str],
    *,
    defaults: ShapingConfig,
    report: ErrorReport,
) -> None:
    """Check the keys of one trigger against each other and against [defaults].

    raw: the table as written. invalid: the keys whose values in `trigger` are placeholders.
    """
    path = ("triggers", name)
    _check_times(path, trigger, invalid, defaults, report)
    check_type_keys(path, trigger, raw, invalid, report)
    _check_fields(path, trigger, raw, report)
    if trigger.window is not None and trigger.shaping(defaults).threshold == 1:
        report.warning((*path, "window"), "has no effect without `threshold`")
    for key in ("repeat", "resolve", "for", "clear") if not trigger.has_conditions else ():
        if raw.get(key) is not None:
            reason = "has no effect: it applies to lasting conditions, such as `stale`"
            report.warning((*path, key), reason)
    for key in RESERVED_KEYS & trigger.data.keys():
        report.warning((*path, "data", key), "is replaced by notifyd's own entry of this name")


def _check_times(
    path: ConfigPath,
    trigger: AnyTrigger,
    invalid: Collection[str],
    defaults: ShapingConfig,
    report: ErrorReport,
) -> None:
    _check_cooldown(path, trigger, report)
    shaping = trigger.shaping(defaults)
    if {"debounce", "max_wait"}.intersection(invalid) or shaping.max_wait >= shaping.debounce:
        return
    if trigger.max_wait is not None:
        _check_max_wait((*path, "max_wait"), shaping.max_wait, shaping.debounce, report)
    elif trigger.debounce is not None:
        limit = format_duration(shaping.max_wait)
        report.error(
            (*path, "debounce"),
            f"must be at most `max_wait` of [defaults] ({limit}); or set `max_wait` here too",
            format_duration(shaping.debounce),
        )
    elif defaults.debounce is None:
        _check_max_wait(("defaults", "max_wait"), shaping.max_wait, shaping.debounce, report)


def _check_max_wait(
    path: ConfigPath, max_wait: float, debounce: float, report: ErrorReport
) -> None:
    if max_wait < debounce:
        reason = f"must be at least `debounce` ({format_duration(debounce)})"
        report.error(path, reason, format_duration(max_wait))


def _check_cooldown(path: ConfigPath, shaping: ShapingConfig, report: ErrorReport) -> None:
    longest, cooldown = shaping.cooldown_max, shaping.cooldown
    if longest is not None and cooldown is not None and longest < cooldown:
        reason = f"must be at least `cooldown` ({format_duration(cooldown)})"
        report.error((*path, "cooldown_max"), reason, format_duration(longest))


def check_webhooks(settings: Json, triggers: Mapping[str, AnyTrigger], report: ErrorReport) -> None:
    """Check that what receives webhooks is set, if a trigger waits for one."""
    waiting = [
        name
        for name, trigger in triggers.items()
        if isinstance(trigger, OblienTriggerConfig) and trigger.webhook
    ]
    needed = (("listen", "tcp"), ("webhooks", "secret_file"))
    missing = [
        f"`{key}` in [{section}]"
        for section, key in needed
        if not isinstance(table := settings.get(section), dict) or key not in table
    ]
    for name in waiting if missing else ():
        report.error(("triggers", name, "webhook"), f"requires {' and '.join(missing)}")


def _check_fields(path: ConfigPath, trigger: AnyTrigger, raw: Json, report: ErrorReport) -> None:
    """Check the fields that `group_by` and the templates refer to, where they can be known."""
    if isinstance(trigger, OblienTriggerConfig) and trigger.webhook:
        return
    if isinstance(trigger, LogTriggerConfig) and trigger.has_json_fields:
        return
    written = raw.get("patterns", []) if isinstance(trigger, LogTriggerConfig) else []
    written = [written] if isinstance(written, str) else written
    if not isinstance(written, list):
        return
    groups = patterns.named_groups(pattern for pattern in written if isinstance(pattern, str))
    known = groups.union(_GROUP_FIELDS)
    for item, name in with_paths(path, raw, "group_by", trigger.group_by or []):
        if name not in known:
            _report_unknown_field(item, name, known, report)
    sources = {key: str(raw.get(key, "")) for key in ("title", "body")}
    sources["data"] = "".join(data_strings(trigger.data))
    for key, source in sources.items():
        for name in dict.fromkeys(templates.referenced_fields(source)):
            if name not in groups:
                hint = did_you_mean(name, groups, prefix="fields.")
                report.error((*path, key), f"no pattern has a group named '{name}'{hint}", name)


def _report_unknown_field(
    path: ConfigPath, name: str, known: Iterable[str], report: ErrorReport
) -> None:
    fields = ", ".join(_GROUP_FIELDS)
    reason = f"unknown field; use a named group of a pattern, or one of: {fields}"
    report.error(path, f"{reason}{did_you_mean(name, known)}", name)
