"""A pattern that backtracks without end, on lines made for it, in a running daemon."""

from support.daemon import wait_for

CONFIG = r"""
[triggers.hostile]
type = "log"
paths = ["{folder}/app.log"]
patterns = ['^(a|a)+$']

[triggers.honest]
type = "log"
paths = ["{folder}/*.log"]
patterns = ['needle \d+']
debounce = "0s"
cooldown = "0s"
"""
LINES = 20
HOSTILE = b"a" * 60 + b"!\n"


def test_it_delays_neither_the_socket_nor_other_triggers_and_status_names_it(
    daemon, platform, tmp_path
):
    logs = [tmp_path / "app.log", tmp_path / "other.log"]
    for log in logs:
        log.touch()
    running = daemon(CONFIG.format(folder=tmp_path)).start()
    logs[0].write_bytes(HOSTILE * LINES + b"needle 1\n")
    logs[1].write_bytes(b"needle 2\n")

    def told():
        status = running.ask("GET", "/v1/status")
        return status["triggers"]["honest"]["matches"] == 2 and status

    status = wait_for(told, what="both honest lines")  # one line alone would take it for ages
    problems = [problem for source in status["sources"] for problem in source["problems"]]
    assert [problem for problem in problems if problem.startswith(f"hostile: {LINES} lines")]
    platform.waited(2)
    texts = {received.json["body"] for received in platform.received}
    assert texts == {"needle 1", "needle 2"}
