Matches inside a mute window are one digest when it ends; urgent ones are sent at once.
-----
[mute.night]
times = ["22:00-07:00"]
timezone = "Europe/Berlin"
[defaults]
mute = ["night"]
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
[triggers.disk]
type = "log"
paths = "/x"
patterns = "FULL"
[triggers.fire]
type = "log"
paths = "/x"
patterns = "FIRE"
priority = "urgent"
-----
start 2026-03-02 21:50 Europe/Berlin
at 0s: app matches "ERROR before the night"
between 2s and 3s: want "^app$" "before the night"
at 9m58s500ms: app matches "ERROR that waits over the start"
at 1h: app matches "ERROR one" 3 times every 1m
at 2h: disk matches "FULL"
at 3h: fire matches "FIRE"
between 3h2s and 3h3s: want "^fire$"
at 9h9m59s: app matches "ERROR within the last second"
between 9h10m and 9h10m1s: want "^5 from 2 triggers while muted$" "4 × app\n1 × disk"
between 9h10m1s and 9h10m2s: want "^app$" "within the last second"
at 9h20m: app matches "ERROR in the morning"
between 9h20m2s and 9h20m3s: want "^app$" "in the morning"
end 24h
