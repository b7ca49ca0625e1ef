A failure is reported at once with the end of its output, also after a missing ping, and once until the job succeeds.
-----
[triggers.build]
type = "heartbeat"
every = "1h"
grace = "5m"
-----
start 2026-03-02 12:00 UTC
at 0s: ping build success
at 10m: ping build start
at 12m: ping build 3 "the disk is full"
between 12m and 12m1s: want "^build: failed, status 3 after 2m$" "^the disk is full$"
at 20m: ping build fail "again"
at 30m: ping build success
between 30m and 30m1s: want "^build: back after 18m$"
between 1h35m and 1h35m1s: want "^build: no ping for 1h5m"
at 2h: ping build fail "the disk is still full"
between 2h and 2h1s: want "^build: failed$" "^the disk is still full$"
at 3h: ping build success
between 3h and 3h1s: want "^build: back after 1h25m$"
end 4h
