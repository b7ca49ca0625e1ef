What is over the budget is one digest half a minute later; high priority is never held back.
-----
[budget]
max = 2
per = "1h"
[triggers.app]
type = "log"
paths = "/x"
patterns = 'ERROR (?P<unit>\w+)'
group_by = "unit"
debounce = "0s"
cooldown = "0s"
[triggers.bad]
type = "log"
paths = "/x"
patterns = "BAD"
priority = "high"
debounce = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: app matches "ERROR a"
between 0s and 1s: want "^app \(a\)$"
at 1s: app matches "ERROR b"
between 1s and 2s: want "^app \(b\)$"
at 2s: app matches "ERROR c" 30 times
at 3s: app matches "ERROR d" 7 times
at 4s: bad matches "BAD"
between 4s and 5s: want "^bad$"
between 33s and 34s: want "^37 more from app$" "budget"
end 6h
