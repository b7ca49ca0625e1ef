A night asleep expires nothing, ends no cooldown, mute on request or wait, and begins sending at once.
-----
[delivery]
expire = "1h"
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
debounce = "0s"
cooldown = "30m"
[triggers.job]
type = "log"
paths = "/x"
stale = "10m"
for = "5m"
[triggers.muted]
type = "log"
paths = "/x"
patterns = "x"
debounce = "0s"
cooldown = "0s"
-----
start 2026-03-02 22:00 UTC
at 0s: api is down
at 1s: app matches "ERROR one"
at 2s: mute muted for 30m
at 3s: muted matches "x"
at 4m: job begins "no line for 10m"
at 5m: api is well
at 5m1s: clock jumps 8h
between 5m1s and 5m2s: want "^app$" "ERROR one"
at 6m: app matches "ERROR two"
between 10m1s and 10m5s: want "^job: silent$"
between 30m and 30m2s: want "^app$" "ERROR two"
between 30m2s and 30m4s: want "^1 from muted while muted$"
end 2h
