"""Check: how the daemon finds processes."""

from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.doctor.finding import CheckOutcome
from notifyd.doctor.subject import Subject
from notifyd.sources.processes.connector import ProcessConnector


def check(subject: Subject) -> CheckOutcome:
    """Without rights it scans, which is how most daemons run: no finding."""
    triggers = subject.settings.triggers.values()
    if not any(isinstance(trigger, ProcessTriggerConfig) for trigger in triggers):
        return CheckOutcome("no trigger watches them")
    try:
        ProcessConnector.open().close()
    except OSError:
        return CheckOutcome(
            "found by a scan each second; the kernel reports them only to CAP_NET_ADMIN, so one "
            "that lives for less than a second may be missed"
        )
    return CheckOutcome("reported by the kernel")
