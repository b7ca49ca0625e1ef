Muting everything holds back the messages of other programs as well, except urgent ones.
-----
[triggers]
-----
start 2026-03-02 12:00 UTC
at 0s: mute everything for 30m
at 1m: send "Build finished"
at 2m: send "Fire" priority urgent
between 2m and 2m1s: want "^Fire$"
at 3m: send "held over the end" delay 1h
at 4m: send "released inside" delay 5m
between 30m and 30m1s: want "^2 messages while muted$" "released inside\nBuild finished"
between 1h3m and 1h3m1s: want "^held over the end$"
end 4h
