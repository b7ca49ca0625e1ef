A condition that begins and ends inside a mute is not reported; one that outlasts it is, and so is its end.
-----
[mute.lunch]
times = ["12:00-13:00"]
timezone = "UTC"
[defaults]
mute = ["lunch"]
[triggers.short]
type = "log"
paths = "/x"
stale = "10m"
[triggers.long]
type = "log"
paths = "/x"
stale = "10m"
repeat = "50m"
[triggers.earlier]
type = "log"
paths = "/x"
stale = "10m"
-----
start 2026-03-02 11:50 UTC
at 1m: earlier begins "no line"
between 1m2s and 1m3s: want "^earlier: silent$"
at 15m: short begins "no line"
at 20m: long begins "no line"
at 25m: short ends "lines again"
at 30m: earlier ends "lines again"
between 1h10m and 1h10m1s: want "^2 from 2 triggers while muted$" "1 × earlier\n1 × long"
between 1h10m2s and 1h10m3s: want "^long: still silent$"
at 1h20m: long ends "lines again"
between 1h20m and 1h20m1s: want "^long: no longer silent$"
end 4h
