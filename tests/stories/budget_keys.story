A message that is replaced or cancelled before its first attempt costs nothing.
-----
[rate_limit]
max = 1
per = "1m"
[budget]
max = 2
-----
start 2026-03-02 12:00 UTC
at 1s: send "first"
between 1s and 2s: want "^first$"
at 2s: send "10 %" key "build" 20 times every 1s
at 30s: cancel "build"
at 31s: send "second"
between 60s and 62s: want "^second$"
at 5m: send "third"
between 5m30s and 5m31s: want "^1 more message$"
end 3h
