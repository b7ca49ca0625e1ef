"""Check: hooks of coding agents that are installed call a notifyd that is there, and run."""

import os
import pwd
from pathlib import Path

from notifyd.agents.installation import HookState
from notifyd.agents.places import AgentPlaces, hook_statuses, own_program
from notifyd.agents.settings_file import AgentSettingsError
from notifyd.doctor.finding import CheckOutcome, Finding, Severity, skipped
from notifyd.doctor.subject import Subject


def check(subject: Subject) -> CheckOutcome:
    """Look into the settings of the user who asks, whose agents these are."""
    environ = subject.own_environ
    home = environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir
    places = AgentPlaces(Path(home), environ)
    try:
        statuses = hook_statuses(places, own_program())
    except AgentSettingsError as error:
        return skipped(str(error))
    installed = [
        each for each in statuses if each.state in (HookState.INSTALLED, HookState.INCOMPLETE)
    ]
    if not installed:
        present = [each.agent for each in statuses if each.is_present]
        if not present:
            return skipped("there is no coding agent of this user")
        return CheckOutcome(f"not installed for {', '.join(present)}: `notifyd hook install --all`")
    findings = [
        Finding.from_sentence(Severity.WARNING, f"hooks of {each.agent}: {each.problem}")
        for each in installed
        if each.is_broken
    ]
    return CheckOutcome(f"installed for {', '.join(each.agent for each in installed)}", findings)
