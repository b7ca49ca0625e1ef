Windows, pauses and cooldowns continue after a kill as if nothing had happened.
-----
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
debounce = "10s"
cooldown = "5m"
[triggers.often]
type = "log"
paths = "/x"
patterns = "x"
threshold = 3
window = "1m"
debounce = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: app matches "ERROR"
at 5s: killed
at 6s: often matches "x"
at 7s: often matches "x"
between 10s and 11s: want "^app$"
at 12s: killed
at 20s: stopped for 10s
at 31s: app matches "ERROR"
at 40s: often matches "x"
between 40s and 41s: want "^often: 3 ×$"
at 1m: killed
between 5m10s and 5m11s: want "^app$"
end 1h
