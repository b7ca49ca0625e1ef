The total never blocks a source that has sent nothing lately.
-----
[budget]
max = 3
per = "1h"
total = 4
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
debounce = "0s"
cooldown = "0s"
[triggers.disk]
type = "log"
paths = "/x"
patterns = "FULL"
debounce = "0s"
cooldown = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: app matches "ERROR" 3 times
between 0s and 1s: want "^app$" 3 times
at 2s: send "hello"
between 2s and 3s: want "^hello$"
at 3s: disk matches "FULL"
between 3s and 4s: want "^disk$"
at 4s: disk matches "FULL again"
at 5s: send "again"
between 35s and 36s: want "^2 more from 2 triggers$"
at 61m: disk matches "FULL an hour later"
between 61m and 61m1s: want "^disk$"
end 3h
