"""Check: devices that can show a notification."""

from notifyd.doctor.api import ApiAnswers
from notifyd.doctor.finding import CheckOutcome, Finding, skipped
from notifyd.doctor.subject import Subject

_FIX = "install the app and sign in, or open the inbox page of the relay"


def check(subject: Subject, answers: ApiAnswers) -> CheckOutcome:
    delivery = subject.part("delivery")
    findings = []
    if delivery.get("reaches_device") is False:
        why = delivery.get("warning")
        reason = f": {why}" if why else ""
        findings.append(Finding.warning(f"the last notification reached no device{reason}", _FIX))
    listing = answers.devices()
    if listing is None or listing.problem:
        if findings or delivery:
            return CheckOutcome("no delivery says that none is registered", findings)
        return skipped("set OBLIEN_CLIENT_ID and OBLIEN_CLIENT_SECRET to list the devices")
    active = [device for device in listing.items if device.get("status", "active") == "active"]
    if not active and not findings:
        findings.append(Finding.warning("no device is registered for this account", _FIX))
    return CheckOutcome(f"{len(active)} registered", findings)
