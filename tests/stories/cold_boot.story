After two days in which the machine was off, what waited is sent, and no wait counts that time.
-----
[delivery]
expire = "24h"
[triggers.job]
type = "log"
paths = "/x"
stale = "10m"
for = "5m"
-----
start 2026-03-02 22:00 UTC
at 0s: api is down
at 1s: send "Training finished"
at 4m: job begins "no line for 10m"
at 5m: api is well
at 5m1s: machine is off for 48h
between 48h5m1s and 48h5m5s: want "^Training finished$"
between 48h10m1s and 48h10m5s: want "^job: silent$"
end 50h
