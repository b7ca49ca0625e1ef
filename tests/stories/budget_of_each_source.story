Twenty messages use up the budget of their sender; a job that fails then is reported at once.
-----
[triggers.job]
type = "process"
name = "train"
-----
start 2026-03-02 12:00 UTC
at 0s: send "step" 22 times every 1s
between 0s and 20s: want "^step$" 20 times
at 25s: job matches "train exited with status 1"
between 25s and 26s: want "^job"
between 51s and 52s: want "^2 more messages$" "budget"
end 3h
