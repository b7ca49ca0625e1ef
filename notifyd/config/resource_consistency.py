"""Checks across the keys of resource triggers: units, order of limits, and what needs a path."""

from collections.abc import Collection

from notifyd.config.errors import ConfigPath, ErrorReport
from notifyd.config.resource_limits import ClearingLimit, ResourceLimit
from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.model.notifications import Json

_WITH_PATH = ("disk", "inodes")
_LIMITS = ("warning", "critical", "clear")


def check_resource(
    path: ConfigPath,
    trigger: ResourceTriggerConfig,
    raw: Json,
    invalid: Collection[str],
    report: ErrorReport,
) -> None:
    """Check the keys of one trigger against each other.

    raw: the table as written. invalid: the keys whose values in `trigger` are placeholders.
    """
    if "resource" in invalid:
        return
    resource = trigger.resource
    if resource in _WITH_PATH:
        if trigger.path is None and "path" not in invalid:
            reason = f'required key is missing; `{resource}` needs it, for example path = "/"'
            report.error((*path, "path"), reason)
    elif "path" in raw:
        report.error((*path, "path"), "applies only to `disk` and `inodes`; remove it")
    if resource == "oom":
        for key in (*_LIMITS, "for"):
            if key in raw:
                reason = "does not apply to `oom`, which reports each kill; remove it"
                report.error((*path, key), reason)
        return
    if trigger.limits == (None, None) and not {"warning", "critical"} & set(invalid):
        report.error(path, f"requires `warning` or `critical` for `{resource}`")
    _check_limits(path, trigger, raw, report)


def _check_limits(
    path: ConfigPath, trigger: ResourceTriggerConfig, raw: Json, report: ErrorReport
) -> None:
    warning, critical = trigger.limits
    clear = trigger.clear.limit if isinstance(trigger.clear, ClearingLimit) else None
    limits: dict[str, ResourceLimit] = {}
    for key, limit in zip(_LIMITS, (warning, critical, clear), strict=True):
        if limit is None:
            continue
        try:
            limits[key] = limit.in_units_of(trigger.resource)
        except ValueError as error:
            report.error((*path, key), str(error), raw.get(key))
    first = limits.get("warning") or limits.get("critical")
    if {"warning", "critical"} <= limits.keys():
        _check_order(path, limits["warning"], limits["critical"], report)
    if clear is None or first is None or "clear" not in limits:
        return
    clearing = limits["clear"].like(first)
    name = "warning" if "warning" in limits else "critical"
    if not clearing.is_comparable(first):
        reason = f"must be of the same kind as `{name}` ({first.text})"
        report.error((*path, "clear"), reason, clear.text)
    elif clearing.is_beyond(first):
        side = "above" if first.is_floor else "below"
        report.error((*path, "clear"), f"must be {side} `{name}` ({first.text})", clear.text)


def _check_order(
    path: ConfigPath, warning: ResourceLimit, critical: ResourceLimit, report: ErrorReport
) -> None:
    if not critical.is_comparable(warning):
        return
    if critical.is_floor != warning.is_floor:
        reason = f"must be passed on the same side as `warning` ({warning.text})"
        report.error((*path, "critical"), reason, critical.text)
    elif not critical.is_beyond(warning):
        side = "below" if warning.is_floor else "above"
        report.error(
            (*path, "critical"), f"must be {side} `warning` ({warning.text})", critical.text
        )
