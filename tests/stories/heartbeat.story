A missing ping is reported once, again at growing pauses, and when the job is back; the first line says what happened.
-----
[triggers.nightly-backup]
type = "heartbeat"
every = "24h"
grace = "2h"
repeat = ["4h", "8h"]
-----
start 2026-03-02 03:00 UTC
at 0s: ping nightly-backup success
at 24h: ping nightly-backup success
between 50h and 50h1s: want "^nightly-backup: no ping for 26h \(expected every 24h\)$" "^Last ping 2026-03-03 03:00:00$"
between 54h and 54h2s: want "^nightly-backup: still no ping for 30h \(expected every 24h\)$" "reminder 1\.$"
between 62h and 62h3s: want "^nightly-backup: still no ping for 38h \(expected every 24h\)$" "reminder 2\.$"
at 64h57m: ping nightly-backup start
at 65h: ping nightly-backup success "42 GiB written"
between 65h and 65h1s: want "^nightly-backup: back after 15h, last ran 3m$" "^42 GiB written$"
at 89h: ping nightly-backup success
end 90h
