After an hour without the API everything arrives within minutes, urgent first, and nothing twice.
-----
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
[triggers.fire]
type = "log"
paths = "/x"
patterns = "FIRE"
priority = "urgent"
-----
start 2026-03-02 12:00 UTC
at 0s: api is down
at 1m: app matches "ERROR" 50 times every 1m
at 10m: send "a message"
at 30m: fire matches "FIRE"
at 1h: api is well
between 1h and 1h6m: want "^fire$"
between 1h and 1h6m: want "^app$"
between 1h and 1h6m: want "^app: 5 ×$"
between 1h and 1h6m: want "^app: 10 ×$"
between 1h and 1h6m: want "^app: 20 ×$"
between 1h16m and 1h17m: want "^app: 14 ×$"
between 1h and 1h6m: want "^a message$"
end 6h
