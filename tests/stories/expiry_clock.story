Nothing expires because the clock was set; what could not be sent for a day does.
-----
[delivery]
expire = "6h"
-----
start 2026-03-02 12:00 UTC
at 0s: api is down
at 1s: send "first"
at 1m: clock jumps 48h
at 2m: send "second"
at 3m: clock jumps -96h
at 4m: killed
at 2h: api is well
between 2h and 2h6m: want "^first$"
between 2h and 2h6m: want "^second$"
at 3h: api is down
at 3h1s: send "third"
at 4h: clock jumps 1h
at 8h: clock jumps -3h
at 9h5m: api is well
between 9h5m and 9h11m: want "^1 message expired$"
end 12h
