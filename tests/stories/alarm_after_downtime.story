A reminder that came due during downtime waits a minute, in case the condition has ended.
-----
[triggers.job]
type = "log"
paths = "/x"
stale = "10m"
repeat = "1h"
[triggers.other]
type = "log"
paths = "/x"
stale = "10m"
repeat = "1h"
-----
start 2026-03-02 12:00 UTC
at 0s: job begins "no line"
at 1s: other begins "no line"
between 2s and 4s: want "^job: silent$"
between 3s and 5s: want "^other: silent$"
at 30m: stopped for 3h
at 3h30m5s: job ends "lines come again"
between 3h30m5s and 3h30m6s: want "^job: no longer silent$"
between 3h31m and 3h31m1s: want "^other: still silent$"
end 4h
