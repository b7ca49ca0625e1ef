A mute by request lasts its elapsed time, however the clock is set meanwhile.
-----
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
cooldown = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: mute app for 30m
at 1m: app matches "ERROR one"
at 2m: clock jumps 5h
at 3m: app matches "ERROR two"
at 4m: killed
at 5m: clock jumps -9h
at 6m: app matches "ERROR three"
between 30m and 30m1s: want "^3 from app while muted$"
at 31m: app matches "ERROR four"
between 31m2s and 31m3s: want "^app$"
at 40m: mute everything for 30m
at 41m: app matches "ERROR five"
at 42m: stopped for 10m
between 70m and 70m1s: want "^1 from app while muted$"
end 12h
