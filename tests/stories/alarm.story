A condition is reported when it begins, again at growing pauses, and when it ends; a restart repeats nothing.
-----
[triggers.job]
type = "log"
paths = "/var/log/job.log"
stale = "10m"
repeat = ["1h", "4h"]
-----
start 2026-03-02 12:00 UTC
at 0s: job ends "lines come again"
at 10m: job begins "no line in /var/log/job.log for 10m"
between 10m2s and 10m3s: want "^job: silent$" "no line in /var/log/job.log for 10m$"
at 20m: killed
at 30m: job begins "no line in /var/log/job.log for 10m"
between 1h10m and 1h10m3s: want "^job: still silent$" "Since .*; reminder 1\.$"
at 2h: stopped for 1h
at 3h10m: job begins "no line in /var/log/job.log for 10m"
between 5h10m and 5h10m4s: want "^job: still silent$" "reminder 2\.$"
between 9h10m and 9h10m5s: want "^job: still silent$" "reminder 3\.$"
at 10h: job ends "lines come again"
between 10h and 10h1s: want "^job: no longer silent$" "lines come again"
at 10h1m: job ends "lines come again"
at 12h: job begins "no line"
between 12h2s and 12h3s: want "^job: silent$"
end 12h30m
