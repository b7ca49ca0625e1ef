A condition begins only once it has lasted, and ends only once it stayed away; a restart and a gap begin the wait again.
-----
[triggers.job]
type = "log"
paths = "/var/log/job.log"
stale = "10m"
for = "5m"
clear = "2m"
cooldown = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: job begins "no line for 10m"
at 4m: job ends "lines come again"
at 6m: job begins "no line for 10m"
at 9m: killed
between 14m and 14m4s: want "^job: silent$" "no line for 10m"
at 20m: job ends "a line"
at 21m: job begins "no line for 10m"
at 30m: job ends "lines at last"
between 32m and 32m4s: want "^job: no longer silent$" "lines at last"
at 40m: job begins "no line for 11m"
at 42m: clock jumps 8h
between 47m and 47m4s: want "^job: silent$" "no line for 11m"
end 1h
