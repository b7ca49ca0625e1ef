A cooldown doubles while matches go on, counts exactly, and starts small again after a quiet time.
-----
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
debounce = "0s"
cooldown = "1m"
cooldown_max = "4m"
-----
start 2026-03-02 12:00 UTC
at 0s: app matches "ERROR" 60 times every 10s
between 0s and 1s: want "^app$"
between 1m and 1m1s: want "^app: 5 ×$"
between 3m and 3m1s: want "^app: 12 ×$"
between 7m and 7m1s: want "^app: 24 ×$"
between 11m and 11m1s: want "^app: 18 ×$"
at 30m: app matches "ERROR"
between 30m and 30m1s: want "^app$"
at 30m10s: app matches "ERROR"
between 31m and 31m1s: want "^app$"
end 1h
