A run that does not end in time is reported; runs with ids overlap, and while one is at work no other ping is expected.
-----
[triggers.train]
type = "heartbeat"
every = "30m"
grace = "5m"
max_runtime = "2h"
-----
start 2026-03-02 12:00 UTC
at 0s: ping train start/a
at 1h: ping train start/b
at 1h50m: ping train success/a
between 3h and 3h1s: want "^train: running for 2h \(max_runtime 2h\)$"
at 3h30m: ping train success/b "done"
between 3h30m and 3h30m1s: want "^train: back after 30m, last ran 2h30m$" "^done$"
between 4h5m and 4h5m1s: want "^train: no ping for 35m \(expected every 30m\)$"
at 4h10m: ping train start
at 7h: ping train success
between 7h and 7h1s: want "^train: back after 2h55m, last ran 2h50m$"
end 7h30m
