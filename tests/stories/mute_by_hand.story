A trigger can be muted on request, across a kill too, and unmuted at any time.
-----
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
cooldown = "0s"
[triggers.disk]
type = "log"
paths = "/x"
patterns = "FULL"
cooldown = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: mute app for 30m
at 1m: app matches "ERROR one"
at 2m: disk matches "FULL"
between 2m2s and 2m3s: want "^disk$"
at 3m: killed
at 4m: app matches "ERROR two"
between 30m and 30m1s: want "^2 from app while muted$" "ERROR two\nERROR one"
at 40m: mute everything for 1h
at 50m: app matches "ERROR three"
at 51m: disk matches "FULL"
at 55m: mute everything for 0s
between 55m and 55m1s: want "^2 from 2 triggers while muted$"
at 56m: app matches "ERROR four"
between 56m2s and 56m3s: want "^app$"
end 4h
