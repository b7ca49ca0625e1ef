A mute window follows the wall clock, also in the night when the clocks change.
-----
[mute.night]
times = ["22:00-07:00"]
days = ["sat"]
timezone = "Europe/Berlin"
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
mute = "night"
cooldown = "0s"
-----
start 2026-03-28 21:00 Europe/Berlin
at 2h: app matches "ERROR at eleven"
between 9h and 9h1s: want "^1 from app while muted$"
at 10h: app matches "ERROR on sunday morning"
between 10h2s and 10h3s: want "^app$"
at 25h: app matches "ERROR on sunday night"
between 25h2s and 25h3s: want "^app$"
end 30h
