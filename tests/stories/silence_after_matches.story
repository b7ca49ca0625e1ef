Silence that begins in the cooldown of ordinary matches does not wait for its end; one that begins again does.
-----
[triggers.job]
type = "log"
paths = "/x"
patterns = "ERROR"
stale = "2m"
cooldown = "10m"
-----
start 2026-03-02 12:00 UTC
at 0s: job matches "ERROR"
between 2s and 3s: want "^job$"
at 30s: job matches "ERROR"
at 2m30s: job begins "no line for 2m"
between 2m32s and 2m33s: want "^job: silent$" "^no line for 2m"
at 5m: job ends "lines come again"
between 5m and 5m1s: want "^job: no longer silent$"
at 7m: job begins "no line for 2m"
between 12m32s and 12m33s: want "^job: silent$"
end 12m40s
