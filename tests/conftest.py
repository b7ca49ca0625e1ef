"""What tests have to say about figures is printed at the end, wherever they ran."""

import signal

from hypothesis import settings

from support.examples import THOROUGH

# No deadlines: on a busy machine an example may take any time.
settings.register_profile("notifyd", deadline=None, max_examples=300 if THOROUGH else 40)
settings.load_profile("notifyd")

# A shell without job control ignores it for what it starts with `&`, and that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter):
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "figures":
                    terminalreporter.write_line(value)
