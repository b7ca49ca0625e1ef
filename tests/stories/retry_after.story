A Retry-After pauses all sending, across a kill, for an hour at most; then everything is sent in order.
-----
[triggers.app]
type = "log"
paths = "/x"
patterns = "ERROR"
debounce = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: api answers 429 retry-after 600
at 1s: app matches "ERROR one"
at 2s: api is well
at 3s: send "two" priority urgent
at 5m: killed
between 10m1s and 10m3s: want "^two$"
between 10m1s and 10m3s: want "^app$"
at 20m: api answers 429 retry-after 999999999
at 20m1s: send "three"
at 20m2s: api is well
between 1h20m1s and 1h20m2s: want "^three$"
at 2h: api answers 429 retry-after "Mon, 02 Mar 2026 14:05:00 GMT"
at 2h1s: send "four"
at 2h2s: api is well
between 2h5m and 2h5m2s: want "^four$"
at 3h: api answers 503 retry-after nonsense
at 3h1s: send "five"
at 3h1500ms: api is well
between 3h1500ms and 3h3s: want "^five$"
end 6h
