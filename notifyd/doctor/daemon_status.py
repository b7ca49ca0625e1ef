"""Check: what the running daemon reports itself, and whether it is the installed version."""

from collections.abc import Iterator

from notifyd import __version__
from notifyd.doctor.finding import CheckOutcome, Finding, Severity, skipped
from notifyd.doctor.subject import Subject
from notifyd.model.notifications import Json
from notifyd.text.limits import strip_control

_WORST = 50
"""Problems of one source that are listed."""
_WAITING = "waiting"


def check(subject: Subject) -> CheckOutcome:
    if subject.status is None:
        return skipped("no daemon answers")
    findings = [*_findings(subject)]
    is_refused = subject.part("token").get("state") == "refused"  # the check of the token says so
    if subject.status.get("healthy") is False and not findings and not is_refused:
        word = subject.status.get("status")
        findings.append(Finding.fault(f"the daemon is not healthy: {word}", "notifyd status"))
    return CheckOutcome(f"version {subject.status.get('version')}, no problems", findings)


def _findings(subject: Subject) -> Iterator[Finding]:
    status = subject.status or {}
    version = status.get("version")
    if version != __version__:
        problem = f"the running daemon is version {version}, and {__version__} is installed"
        yield Finding.warning(problem, subject.restart_command)
    configured = subject.settings.api.url.rstrip("/")
    if subject.api_url != configured:
        problem = f"the daemon uses {subject.api_url}, and the configuration says {configured}"
        yield Finding.warning(problem, "notifyd reload, or restart it with the same variables")
    yield from _delivery_findings(subject)
    if (store := subject.part("outbox").get("store", "ok")) != "ok":
        yield Finding.from_sentence(Severity.FAULT, f"database: {store}")
    sources = status.get("sources")
    for source in sources if isinstance(sources, list) else ():
        if isinstance(source, dict):
            yield from _source_findings(source)
    if error := subject.part("reload").get("error"):
        problem = f"the last reload failed, the old configuration is in use: {_first_line(error)}"
        yield Finding.fault(problem, "notifyd check, then notifyd reload")
    incidents = status.get("incidents")
    for incident in incidents if isinstance(incidents, list) else ():
        if isinstance(incident, dict):
            yield Finding.warning(_first_line(incident.get("what")), "notifyd status")


def _delivery_findings(subject: Subject) -> Iterator[Finding]:
    """Yield why notifications are not delivered; the check of the token reports a refused one."""
    delivery, token = subject.part("delivery"), subject.part("token")
    error = delivery.get("error")
    if token.get("state") == "missing":
        # As the check of the token says it, so that one of them is shown.
        yield Finding.fault(_first_line(error).partition(":")[0], "notifyd retry, once it is there")
    elif error and token.get("state") != "refused":
        severity = Severity.WARNING if delivery.get("state") == _WAITING else Severity.FAULT
        yield Finding(
            severity, f"delivery: {_first_line(error)}", "notifyd retry, once it is fixed"
        )
    failed = delivery.get("last_failed")
    if isinstance(failed, dict):
        name = failed.get("id")
        problem = f"notification {name} failed: {_first_line(failed.get('reason'))}"
        yield Finding.warning(problem, f"notifyd retry {name}")


def _source_findings(source: Json) -> Iterator[Finding]:
    name, problems = source.get("name", "?"), source.get("problems")
    listed = problems if isinstance(problems, list) else []
    for problem in listed[:_WORST]:
        yield Finding.from_sentence(Severity.FAULT, _first_line(problem))
    if source.get("dead") and not listed:
        yield Finding.fault(f"the source {name} has stopped watching", "notifyd reload")


def _first_line(text: object) -> str:
    return strip_control(str(text)).partition("\n")[0]
