"""What a check finds: faults and warnings, each with its fix."""

from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple, Self

from notifyd.model.notifications import Json


class Severity(Enum):
    """A fault keeps notifications from arriving, or events from being seen; a warning may."""

    FAULT = "fault"
    WARNING = "warning"


class Finding(NamedTuple):
    """problem: what is wrong and where. fix: the command, or what to do; empty if `problem` says.

    Both are one line.
    """

    severity: Severity
    problem: str
    fix: str = ""

    @classmethod
    def fault(cls, problem: str, fix: str = "") -> Self:
        return cls(Severity.FAULT, problem, fix)

    @classmethod
    def warning(cls, problem: str, fix: str = "") -> Self:
        return cls(Severity.WARNING, problem, fix)

    @classmethod
    def from_sentence(cls, severity: Severity, sentence: str) -> Self:
        """Split a sentence of the form "what, where; how to fix it"."""
        problem, _, fix = sentence.partition("; ")
        return cls(severity, problem, fix.removeprefix("run "))


class CheckReport(NamedTuple):
    """name: of the check. summary: what was found right, or why nothing could be checked.

    is_skipped: nothing could be checked.
    """

    name: str
    summary: str
    findings: tuple[Finding, ...] = ()
    is_skipped: bool = False

    @property
    def status(self) -> str:
        severities = {finding.severity for finding in self.findings}
        for severity in Severity:
            if severity in severities:
                return severity.value
        return "skipped" if self.is_skipped else "ok"

    def to_json(self) -> Json:
        findings = [
            {"severity": each.severity.value, "problem": each.problem, "fix": each.fix}
            for each in self.findings
        ]
        return {
            "name": self.name,
            "status": self.status,
            "summary": self.summary,
            "findings": findings,
        }

    @classmethod
    def from_json(cls, report: dict[str, Any]) -> Self:
        """Read what `to_json` made. KeyError, ValueError for anything else."""
        findings = tuple(
            Finding(Severity(each["severity"]), each["problem"], each["fix"])
            for each in report["findings"]
        )
        return cls(report["name"], report["summary"], findings, report["status"] == "skipped")


class CheckOutcome(NamedTuple):
    """What a check returns: its findings, and what is right in a few words."""

    summary: str
    findings: Iterable[Finding] = ()
    is_skipped: bool = False


def skipped(why: str) -> CheckOutcome:
    return CheckOutcome(why, is_skipped=True)
