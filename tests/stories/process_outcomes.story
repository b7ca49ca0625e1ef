A job that is killed is reported at once, whatever other runs of it have just ended well.
-----
[triggers.job]
type = "process"
name = "train"
-----
start 2026-03-02 12:00 UTC
at 0s: job ends with success "train exited with status 0"
between 0s and 1s: want "^job ended$"
at 10s: job ends with failure "train was killed by SIGKILL"
between 10s and 11s: want "^job failed$" "SIGKILL"
at 20s: job ends with success "train exited with status 0"
between 300s and 301s: want "^job ended$"
end 2h
