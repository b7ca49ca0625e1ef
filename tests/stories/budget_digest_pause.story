A digest waits for a pause of half a minute, never over two minutes, then comes every ten minutes.
-----
[budget]
max = 1
per = "3h"
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
debounce = "0s"
cooldown = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: app matches "ERROR first"
between 0s and 1s: want "^app$"
at 10s: app matches "ERROR steady" 200 times every 10s
between 2m10s and 2m11s: want "^13 more from app$"
between 12m10s and 12m11s: want "^60 more from app$"
between 22m10s and 22m11s: want "^60 more from app$"
between 32m10s and 32m11s: want "^60 more from app$"
between 42m10s and 42m11s: want "^7 more from app$"
at 2h: app matches "ERROR late"
between 2h30s and 2h31s: want "^1 more from app$"
end 4h
