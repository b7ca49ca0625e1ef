The wait for an answer begins again with the daemon and after a gap, a boot ends the sessions, and a mute holds all but a dead agent.
-----
[triggers]
-----
start 2026-03-02 12:00 UTC
at 0s: agent prompt
at 1m: agent question key t1 text "Deploy now?"
at 1m20s: stopped for 2m
between 3m50s and 3m51s: want "^shop: Claude Code has a question$" "^Deploy now\?$"
at 4m: agent answer key t1
at 5m: agent question key t2 text "Which branch?"
at 5m20s: killed
at 5m49s: agent answer key t2
at 10m: agent question key t3 text "Red or blue?"
at 10m20s: clock jumps 3h
between 10m50s and 10m51s: want "has a question$" "^Red or blue\?$"
at 20m: agent prompt
at 21m: agent question key t4 text "Green?"
at 21m10s: machine is off for 5m
at 40m: agent prompt
at 41m: mute agents for 10m
at 42m: agent question key t5 text "Muted?"
at 44m: agent failed cause authentication text "Not logged in"
between 44m and 44m1s: want "^shop: Claude Code stopped: authentication failed$"
at 45m: agent done session s2 project blog text "Ready."
between 51m and 51m1s: want "^1 from agents while muted$" "blog: Claude Code is done"
end 2h
