What was reported stays reported over a restart, a gap and a clock that was set: nothing is said twice, and its end once.
-----
[triggers.sync]
type = "heartbeat"
every = "10m"
grace = "1m"
-----
start 2026-03-02 12:00 UTC
at 0s: ping sync success
between 11m and 11m1s: want "^sync: no ping for 11m \(expected every 10m\)$"
at 20m: killed
at 40m: stopped for 3h
at 4h: clock jumps 5h
at 4h10m: clock jumps -1h
at 5h: ping sync success
between 5h and 5h1s: want "^sync: back after 4h49m$"
between 5h11m and 5h11m1s: want "^sync: no ping for 11m"
end 6h
