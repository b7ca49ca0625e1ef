"""A training job like those with data loaders: forks workers without exec, exits with status 3."""

import os
import sys
import time

begin = time.monotonic()
while time.monotonic() - begin < 3:
    workers = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            time.sleep(1.2)
            os._exit(0)
        workers.append(pid)
    for pid in workers:
        os.waitpid(pid, 0)
sys.exit(3)
