"""A training job like those with data loaders: forks workers without exec, exits with status 3.

Each line on standard input ends the workers and starts new ones; the end of input ends the job.
"""

import os
import signal
import sys

lifetime, held = os.pipe()
has_input = True
while has_input:
    workers = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            os.close(held)
            os.read(lifetime, 1)
            os._exit(0)
        workers.append(pid)
    os.write(1, b"working\n")
    has_input = bool(sys.stdin.readline())
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
sys.exit(3)
