"""What tests have to say about figures is printed at the end, wherever they ran."""

from hypothesis import settings

from support.examples import THOROUGH

# No deadlines: on a busy machine an example may take any time.
settings.register_profile("notifyd", deadline=None, max_examples=300 if THOROUGH else 40)
settings.load_profile("notifyd")


def pytest_terminal_summary(terminalreporter):
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "figures":
                    terminalreporter.write_line(value)
