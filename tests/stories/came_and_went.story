A condition that ends before it was reported is one notification.
-----
[triggers.debounced]
type = "log"
paths = "/x"
stale = "10m"
[triggers.quiet]
type = "log"
paths = "/x"
stale = "10m"
resolve = false
[triggers.waiting]
type = "log"
paths = "/x"
stale = "10m"
debounce = "0s"
cooldown = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: debounced begins "no line"
at 1s: debounced ends "lines again"
between 3s and 4s: want "^debounced: was silent for a while$" "2 × from"
at 1m: quiet begins "no line"
between 1m2s and 1m3s: want "^quiet: silent$"
at 2m: quiet ends "lines again"
at 10m: api is down
at 11m: send "tried first, so that the others wait"
at 12m: waiting begins "no line"
at 12m1s: waiting ends "lines again"
at 12m20s: api is well
between 12m20s and 20m: want "tried first"
between 12m20s and 20m: want "^waiting: was silent for a while$"
end 4h
