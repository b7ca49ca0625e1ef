A held message can be replaced or cancelled by its key, and the old one is never sent.
-----
[triggers]
-----
start 2026-03-02 12:00 UTC
at 0s: send "agent waits" key ask delay 30s
at 10s: send "agent still waits" key ask delay 30s
between 40s and 41s: want "^agent still waits$"
at 1m: send "agent asks" key ask delay 30s
at 1m10s: cancel ask
at 2m: send "sent over a kill" delay 30s
at 2m10s: stopped for 5s
between 2m30s and 2m31s: want "^sent over a kill$"
end 1h
