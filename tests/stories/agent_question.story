A question of an agent that nobody answers within the grace period is one push; one that is answered in the terminal is none.
-----
[agents]
grace = "30s"
-----
start 2026-03-02 12:00 UTC
at 0s: agent prompt
at 1m: agent question kind permission key t1 text "Bash: make deploy"
at 1m6s: agent question kind permission text "Claude needs your permission to use Bash"
between 1m30s and 1m31s: want "^shop: Claude Code needs permission$" "^Bash: make deploy$"
at 2m: agent activity key t1
at 3m: agent question key t2 text "Which branch?"
at 3m20s: agent activity key other
at 3m29s: agent activity key t2
at 4m: agent question key t3 text "Which colour?"
at 4m29s: agent prompt
at 5m: agent question key t4 text "Red or blue?"
at 5m10s: agent done text "Chose red."
between 5m10s and 5m11s: want "^shop: Claude Code is done \(41s\)$" "^Chose red.$"
end 10m
