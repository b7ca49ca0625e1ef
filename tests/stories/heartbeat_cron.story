A run of a cron schedule is missed at its time plus grace; a ping that is a little early counts for it.
-----
[triggers.report]
type = "heartbeat"
cron = "0 3 * * *"
timezone = "Europe/Berlin"
grace = "10m"
-----
start 2026-03-27 02:00 Europe/Berlin
at 1h5m: ping report start
at 1h20m: ping report 0
# The clocks go forward on the 29th: 03:00 comes 23 hours after the 28th's.
at 24h59m30s: ping report success
between 48h10m and 48h10m1s: want "^report: no ping for 23h \(expected Sun 03:00\)$"
at 49h: ping report success
between 49h and 49h1s: want "^report: back after 50m$"
end 71h
