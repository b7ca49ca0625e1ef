"""A fake of systemd's journalctl, with the options that the journal source uses.

`support.journal` copies it into a folder and makes it executable. Files beside it: `entries` holds
the entries as JSON lines. Its pid and arguments are appended to `asked`. If `fault` exists, it
prints that and fails. While `lag` exists, `--follow` shows nothing new. `next` is appended to the
entries during a query for the last one. `boot` is the boot id: as in systemd 252, `--follow` shows
no entries of other boots.
"""
# ruff: noqa: PTH100, PTH107, PTH110, PTH116, PTH118, PTH120, PTH123, SIM115 - importing pathlib takes half of the start

import base64
import json
import os
import select
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ENTRIES, ASKED, FAULT, BOOT, LAG, NEXT = (
    os.path.join(HERE, name) for name in ("entries", "asked", "fault", "boot", "lag", "next")
)
ALWAYS = ("__CURSOR", "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "_BOOT_ID")


def main(words):
    with open(ASKED, "a") as asked:
        asked.write(" ".join([str(os.getpid()), *words]) + "\n")
    if os.path.exists(FAULT):
        sys.exit(open(FAULT).read())
    options = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
    terms = wanted(word for word in words if not word.startswith("--"))
    terms = this_boot(terms) if "follow" in options else terms
    place = cursor(options["cursor"]) if "cursor" in options else None
    names = set(options["output-fields"].split(",")) if "output-fields" in options else None
    identity, entries = state(), read()
    if "boot" in options:
        boots = list(dict.fromkeys(dict(cursor(entry["__CURSOR"]))["b"] for entry in entries))
        if len(boots) < 2:
            sys.exit("Data from the specified boot (-1) is not available: No such boot ID")
        entries = [entry for entry in entries if entry["_BOOT_ID"] == boots[-2]]
    if "reverse" in options:
        found = [entry for entry in entries if place is None or not later(entry, place)]
        found.reverse()
    else:
        found = entries[start(entries, place) :]
    found = [entry for entry in found if fits(entry, terms)]
    if "lines" in options:
        found = found[-int(options["lines"]) :]
        written_meanwhile()
    for entry in found:
        show(entry, names)
    last = entries[-1]["__CURSOR"] if entries else ""
    hang_up = select.poll()
    hang_up.register(1, 0)
    while "follow" in options and not hang_up.poll(0):
        time.sleep(0.005)
        if state() == identity or os.path.exists(LAG):
            continue
        identity, entries = state(), read()
        known = [entry["__CURSOR"] for entry in entries]
        for entry in entries[known.index(last) + 1 if last in known else 0 :]:
            last = entry["__CURSOR"]
            if fits(entry, terms):
                show(entry, names)


def written_meanwhile():
    if os.path.exists(NEXT):
        with open(ENTRIES, "a") as file:
            file.write(open(NEXT).read())
        os.remove(NEXT)


def state():
    now = os.stat(ENTRIES)
    return now.st_mtime_ns, now.st_size, now.st_ino


def read():
    with open(ENTRIES) as file:
        return [json.loads(line) for line in file.read().split("\n")[:-1]]


def cursor(text):
    return tuple(tuple(part.split("=", 1)) for part in text.split(";"))


def later(entry, place):
    here, there = dict(cursor(entry["__CURSOR"])), dict(place)
    if here["s"] == there["s"]:
        return int(here["i"], 16) > int(there["i"], 16)
    return int(here["t"], 16) > int(there["t"], 16)


def start(entries, place):
    """Return the index of the first entry to show, found as systemd seeks a cursor."""
    for index, entry in enumerate(entries if place else ()):
        here, there = dict(cursor(entry["__CURSOR"])), dict(place)
        if here["s"] == there["s"]:
            found = int(here["i"], 16) >= int(there["i"], 16)
        elif here["b"] == there["b"]:
            found = int(here["m"], 16) >= int(there["m"], 16)
        else:
            found = int(here["t"], 16) >= int(there["t"], 16)
        if found:
            return index
    return len(entries) if place else 0


def wanted(words):
    terms = [[]]
    for word in words:
        terms.append([]) if word == "+" else terms[-1].append(tuple(word.split("=", 1)))
    return [term for term in terms if term]


def this_boot(terms):
    with open(BOOT) as file:
        boot = ("_BOOT_ID", file.read())
    return [[*term, boot] for term in terms or [[]]]


def fits(entry, terms):
    return not terms or any(all(entry.get(name) == value for name, value in t) for t in terms)


def show(entry, names):
    out = b""
    for name, text in entry.items():
        if names is not None and name not in names and name not in ALWAYS:
            continue
        value = base64.b64decode(text["base64"]) if isinstance(text, dict) else text.encode()
        if any(byte < 32 and byte != 9 for byte in value):
            out += name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
        else:
            out += name.encode() + b"=" + value + b"\n"
    out += b"\n"
    while out:
        out = out[os.write(1, out) :]


main(sys.argv[1:])
