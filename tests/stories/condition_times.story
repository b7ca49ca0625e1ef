A condition begins once it was reported often enough in a row, across a restart too, and ends likewise.
-----
[triggers.job]
type = "log"
paths = "/var/log/job.log"
stale = "10m"
for = "3 times"
clear = "2 times"
cooldown = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: job begins "one"
at 1m: job begins "two"
at 2m: job ends "fine"
at 3m: job begins "one"
at 4m: job begins "two"
at 5m: killed
at 6m: job begins "three"
between 6m and 6m4s: want "^job: silent$" "three"
at 7m: job ends "fine"
at 8m: job begins "not yet"
at 9m: job ends "fine"
at 10m: job ends "fine again"
between 10m and 10m4s: want "^job: no longer silent$" "fine again"
end 30m
