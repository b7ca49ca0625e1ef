A mute window that starts in the hour that the clocks skip starts when they skip it.
-----
[mute.early]
times = ["02:30-04:00"]
timezone = "Europe/Berlin"
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
mute = "early"
cooldown = "0s"
-----
start 2026-03-29 01:50 Europe/Berlin
at 0s: app matches "ERROR before"
between 2s and 3s: want "^app$"
at 20m: app matches "ERROR at ten past three"
between 1h10m and 1h10m1s: want "^1 from app while muted$"
end 5h
