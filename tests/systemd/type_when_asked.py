"""Run a command on a terminal of its own and type a line when it asks for it.

Usage: type_when_asked.py QUESTION LINE COMMAND…; its exit status is the command's.
"""

import os
import pty
import sys

question, line, *command = sys.argv[1:]
seen = b""


def read(terminal):
    global seen  # noqa: PLW0603 - pty.spawn knows only functions
    text = os.read(terminal, 1024)
    was_asked = question.encode() in seen
    seen += text
    if not was_asked and question.encode() in seen:
        os.write(terminal, f"{line}\n".encode())
    return text


sys.exit(os.waitstatus_to_exitcode(pty.spawn(command, read)))
