"""A system log as servers write it, in which a known share of the lines match known patterns."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_POOL = 50_000
_CHUNK = 10_000
_USERS = ("alice", "bob", "carol", "deploy", "git", "jenkins", "nagios", "postgres", "root", "www")
_HOSTS = ("web1", "web2", "db1", "cache3", "mail", "build7", "edge.example.net")
_WORDS = ("api", "backup", "billing", "cart", "orders", "report", "search", "static", "worker")
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

# Many of them come close to a pattern, as in a real log: the same program, another message.
_ORDINARY = (
    "sshd[{n}]: Accepted publickey for {user} from {ip} port {n} ssh2: RSA SHA256:{hex}{hex}",
    "sshd[{n}]: Connection closed by authenticating user {user} {ip} port {n} [preauth]",
    "sshd[{n}]: pam_unix(sshd:session): session opened for user {user} by (uid=0)",
    "sshd[{n}]: Received disconnect from {ip} port {n}:11: disconnected by user",
    "CRON[{n}]: ({user}) CMD (cd /srv/{word} && ./run --quiet > /dev/null 2>&1)",
    "CRON[{n}]: pam_unix(cron:session): session closed for user {user}",
    "systemd[1]: Started Session {n} of user {user}.",
    "systemd[1]: {word}.service: Succeeded.",
    "systemd[1]: {word}.service: Consumed {n}.{n}s CPU time.",
    "systemd-logind[{n}]: New session {n} of user {user}.",
    'nginx[{n}]: {ip} - - "GET /{word}/{n} HTTP/1.1" 200 {n} "-" "{agent}"',
    'nginx[{n}]: {ip} - {user} "POST /{word}?id={n} HTTP/1.1" 201 {n} "-" "{agent}"',
    'nginx[{n}]: {ip} - - "GET /{word}/{hex}.css HTTP/2.0" 304 0 "-" "{agent}"',
    'nginx[{n}]: {ip} - - "GET /{word}/{n}.png HTTP/1.1" 404 {n} "-" "curl/7.88.1"',
    "kernel: [{n}.{n}] IPv4: martian source {ip} from {ip}, on dev eth0",
    "kernel: [{n}.{n}] usb 1-1: new high-speed USB device number {n} using xhci_hcd",
    "kernel: [{n}.{n}] UFW AUDIT IN=eth0 SRC={ip} DST={ip} LEN=60 PROTO=TCP SPT={n} DPT=443",
    "kernel: [{n}.{n}] EXT4-fs (sda1): mounted filesystem with ordered data mode",
    "postfix/smtpd[{n}]: connect from {host}[{ip}]",
    "postfix/smtp[{n}]: {hex}: to=<{user}@example.org>, delay={n}, dsn=2.0.0, status=sent (250 OK)",
    "postfix/qmgr[{n}]: {hex}: from=<{user}@example.org>, size={n}, nrcpt=1 (queue active)",
    "dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={ip}, lip={ip}, TLS",
    "haproxy[{n}]: {ip}:{n} [x] front back/{host} 0/0/1/{n}/{n} 200 {n} - - ---- 9/9/0/0/0",
    "mysqld[{n}]: {n} [Note] Event Scheduler: Loaded {n} events",
    "postgres[{n}]: [{n}-1] LOG:  checkpoint complete: wrote {n} buffers; sync={n} s",
    'dockerd[{n}]: time="{n}" level=info msg="ignoring event" container={hex}{hex}{hex}',
    "kubelet[{n}]: I1123 kuberuntime.go:{n}] Container {hex} of pod {word} is running",
    "named[{n}]: client @0x{hex} {ip}#{n} ({host}): query: {host} IN A + ({ip})",
    'java[{n}]: INFO  [http-{n}] com.example.{word}.Handler - request {hex} took {n} ms, "ok"',
    "python3[{n}]: INFO {word}: processed {n} records in {n} ms for {user}",
    "sudo:   {user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/{word}",
    "chronyd[{n}]: Selected source {ip} ({host})",
)


class Sample(NamedTuple):
    """A pattern and the message of a line that it matches, with places to be filled in."""

    pattern: str
    message: str


def samples(count: int) -> list[Sample]:
    """Give the first patterns of the list; all are in force together."""
    text = (Path(__file__).parent / "patterns.tsv").read_text()
    return [Sample(*line.split("\t")) for line in text.splitlines()[:count]]


def write(
    path: Path,
    size: int,
    matching: list[Sample],
    every: int,
    *,
    seed: int = 1,
    coloured: bool = False,
) -> int:
    """Write a log of about `size` bytes, one line in `every` matching; returns how many do.

    coloured: each line has four escape sequences.
    """
    finish = _paint if coloured else bytes
    draw = random.Random(seed)
    ordinary = [finish(_line(draw, draw.choice(_ORDINARY))) for _ in range(_POOL)]
    planted = 0
    with path.open("wb") as file:
        while file.tell() < size:
            lines = draw.choices(ordinary, k=_CHUNK)
            for place in draw.sample(range(_CHUNK), _CHUNK // every):
                lines[place] = finish(_line(draw, draw.choice(matching).message))
                planted += 1
            file.write(b"".join(lines))
    return planted


def lines(path: Path, size: int) -> Iterator[bytes]:
    """Give whole lines from the beginning of a file, about `size` bytes of them."""
    with path.open("rb") as file:
        yield file.read(size)
        yield file.readline()


def _line(draw: random.Random, message: str) -> bytes:
    for place, fill in _FILLS.items():
        while place in message:
            message = message.replace(place, fill(draw), 1)
    clock = f"{draw.randrange(24):02}:{draw.randrange(60):02}:{draw.randrange(60):02}"
    return f"Nov 23 {clock} {draw.choice(_HOSTS[:-1])} {message}\n".encode()


def _paint(line: bytes) -> bytes:
    """Colour the time of a line, and its host and message."""
    return b"\x1b[2m%b\x1b[0m \x1b[32m%b\x1b[0m\n" % (line[:15], line[16:-1])


_FILLS = {
    "{n}": lambda draw: str(draw.randrange(1, 10 ** draw.randint(2, 5))),
    "{ip}": lambda draw: ".".join(str(draw.randrange(1, 255)) for _ in range(4)),
    "{hex}": lambda draw: f"{draw.randrange(1 << 40):010x}",
    "{user}": lambda draw: draw.choice(_USERS),
    "{host}": lambda draw: draw.choice(_HOSTS),
    "{word}": lambda draw: draw.choice(_WORDS),
    "{agent}": lambda _: _AGENT,
}
