"""A TCP proxy with one process for each connection, so that a test can freeze a single one.

    python forking_proxy.py PORT SOCKET FOLDER MARK

It passes PORT on to a Unix socket. The process of a connection on which MARK was said creates a
file in FOLDER that is named after its process id.
"""

import os
import select
import socket
import sys
from pathlib import Path


def main() -> None:
    port, target, folder, mark = sys.argv[1:]
    listening = socket.create_server(("127.0.0.1", int(port)))
    os.write(sys.stdout.fileno(), b"ready\n")
    while True:
        client, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(target)
                relay(client, server, Path(folder), mark.encode())
            os._exit(0)
        client.close()


def relay(client: socket.socket, server: socket.socket, folder: Path, mark: bytes) -> None:
    other = {client: server, server: client}
    while True:
        for source in select.select(list(other), [], [])[0]:
            chunk = source.recv(1 << 16)
            if not chunk:
                return
            if mark in chunk:
                (folder / str(os.getpid())).touch()
            other[source].sendall(chunk)


if __name__ == "__main__":
    main()
