Setting the clock moves mute windows, but neither pauses nor cooldowns.
-----
[mute.lunch]
times = ["12:00-13:00"]
timezone = "UTC"
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
mute = "lunch"
cooldown = "0s"
[triggers.other]
type = "log"
paths = "/x"
patterns = "x"
debounce = "0s"
cooldown = "5m"
-----
start 2026-03-02 12:10 UTC
at 0s: app matches "ERROR"
at 5m: other matches "x"
between 5m and 5m1s: want "^other$"
at 6m: other matches "x"
at 7m: clock jumps 2h
between 7m and 7m1s: want "^1 from app while muted$"
between 10m and 10m1s: want "^other$"
at 20m: clock jumps -2h
at 21m: app matches "ERROR"
between 50m and 50m1s: want "^1 from app while muted$"
end 4h
