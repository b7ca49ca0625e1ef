"""Check: the send token, where it is stored and whether the API accepts it."""

from notifyd.config.token import find_token, token_file
from notifyd.doctor.api import ApiAnswers
from notifyd.doctor.finding import CheckOutcome, Finding, Severity, skipped
from notifyd.doctor.subject import Subject
from notifyd.model.errors import NoTokenError, TokenError

_CREATE = "notifyd token create --workspace ID --save"
_ACCEPTED = "accepted at the last delivery"
_HAS_TOKEN = ("ok", "refused")
_UNKNOWN = "not tried yet; `notifyd doctor --send-test` sends a notification"


def check(subject: Subject, answers: ApiAnswers) -> CheckOutcome:
    if subject.layout is not None and not subject.layout.is_user and not subject.can_read_secrets:
        return _by_status(subject)
    source = find_token(subject.settings.api, subject.environ, subject.files)
    try:
        token = source.read().get_secret_value()
    except NoTokenError as error:
        if subject.part("token").get("state") in _HAS_TOKEN:
            return _by_status(subject)  # it comes from variables that this user cannot see
        path = token_file(subject.settings.api, subject.files, subject.environ)
        fix = f"{_CREATE}, or write it to {path}"
        return CheckOutcome("", [Finding.fault(f"{str(error).partition(':')[0]}", fix)])
    except TokenError as error:
        return CheckOutcome("", [Finding.from_sentence(Severity.FAULT, str(error))])
    findings = []
    if warning := source.warning:
        problem, _, fix = warning.rpartition("; " if "; " in warning else ": ")
        findings.append(Finding.warning(problem, fix))
    if refusal := _refusal(subject) or answers.token_fault(token):
        findings.append(Finding.fault(refusal, f"{_CREATE}; or store another in {source.name}"))
    is_proven = subject.has_delivered or answers.knows_token(token)
    return CheckOutcome(f"{source.name}, {_ACCEPTED if is_proven else _UNKNOWN}", findings)


def _refusal(subject: Subject) -> str:
    """Return what the daemon was told when it sent the token; empty if it was not refused."""
    token = subject.part("token")
    if token.get("state") != "refused":
        return ""
    return str(token.get("problem") or "the API refuses the send token")


def _by_status(subject: Subject) -> CheckOutcome:
    """Report what the daemon says of a token that only root can read."""
    state = subject.part("token").get("state")
    if state is None:
        return skipped("only root can read the service's token: run `notifyd doctor` as root")
    if state == "ok":
        return CheckOutcome("as the daemon reports")
    problem = str(subject.part("token").get("problem") or f"the send token is {state}")
    return CheckOutcome("", [Finding.fault(problem.partition("; ")[0], f"as root: {_CREATE}")])
