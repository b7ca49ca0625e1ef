No false alarm: waits restart at each start and after each gap, and a run that falls into one is skipped.
-----
[triggers.hourly]
type = "heartbeat"
every = "1h"
grace = "5m"
[triggers.long]
type = "heartbeat"
every = "7d"
max_runtime = "1h"
[triggers.daily]
type = "heartbeat"
cron = "0 12 * * *"
timezone = "UTC"
grace = "30m"
-----
start 2026-03-02 10:00 UTC
at 1m: ping hourly success
at 1m: ping long start
at 1m: ping daily success
# killed 1 minute before the deadlines
at 50m: killed
# the machine sleeps over noon
at 1h40m: clock jumps 30m
at 1h40m: clock jumps 10m
at 2h: ping hourly success
at 2h: ping long success
# a cold boot
at 2h50m: stopped for 8h
at 10h50m: ping hourly success
at 11h20m: ping long start
at 11h40m: ping hourly success
# set back by an hour, and forward again
at 11h45m: clock jumps -1h
at 12h: clock jumps 1h
at 12h50m: ping hourly success
at 12h55m: ping long success
# 12:00 of the next day, 25h20m after the start by the daemon's own time
at 13h50m: ping hourly success
between 14h55m and 14h55m1s: want "^hourly: no ping for 1h5m"
between 25h50m and 25h50m1s: want "^daily: no ping for 26h \(expected Tue 12:00\)$"
end 30h
