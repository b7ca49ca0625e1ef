A turn is reported as done once, if it took long enough and nothing of it is left in the background; a dead agent is urgent and names its cause.
-----
[agents]
min_duration = "1m"
-----
start 2026-03-02 12:00 UTC
at 0s: agent prompt
at 59s: agent done text "short"
at 10m: agent prompt
at 12m: agent done text "The build runs." background 2
at 13m: agent question kind idle text "Claude is waiting for your input"
at 15m: agent done text "Still building." background 1
at 22m: agent done text "All green." background 0
between 22m and 22m1s: want "^shop: Claude Code is done \(12m\)$" "^All green\.$"
at 22m3s: agent done text "All green."
at 23m: agent question kind idle text "Claude is waiting for your input"
at 30m: agent prompt
at 30m10s: agent failed cause rate_limit text "You have hit your limit"
between 30m10s and 30m11s: want "^shop: Claude Code stopped: rate limit$" "^You have hit your limit$"
at 30m40s: agent failed cause rate_limit text "You have hit your limit"
at 31m: agent failed cause billing
between 31m and 31m1s: want "^shop: Claude Code stopped: billing problem$"
at 40m: agent prompt
at 41m: agent failed cause rate_limit
between 41m and 41m1s: want "rate limit$"
at 50m: agent prompt
at 51m: agent failed cause interrupted
at 60m: agent done session s2 project "" directory /home/ann/blog/ agent codex text "First seen."
between 60m and 60m1s: want "^blog: Codex is done$" "^First seen\.$"
end 2h
