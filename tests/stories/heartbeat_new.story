A heartbeat that never pinged is reported too; a ping that comes just in time, or only logs, makes no difference.
-----
[triggers.sync]
type = "heartbeat"
every = "1h"
grace = "5m"
[triggers.never]
type = "heartbeat"
every = "1h"
-----
start 2026-03-02 12:00 UTC
at 1h5m: ping sync success
at 1h30m: ping sync log "still trying"
between 1h6m and 1h6m1s: want "^never: no ping yet after 1h6m \(expected every 1h\)$"
between 2h10m and 2h10m1s: want "^sync: no ping for 1h5m \(expected every 1h\)$" "Last output:\nstill trying$"
end 5h
