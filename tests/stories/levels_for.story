A level must last for `for`, its end for `clear`; a fall and a rise that were not confirmed report nothing.
-----
[triggers.root]
type = "resource"
resource = "disk"
path = "/"
for = "5m"
clear = "2m"
cooldown = "0s"
-----
start 2026-03-02 12:00 UTC
at 0s: root is warning "disk /: 81% used (warning)"
at 4m: root is ok "disk /: 79% used (ok again)"
at 10m: root is warning "disk /: 81% used (warning)"
at 12m: root is critical "disk /: 96% used (critical)"
between 15m and 15m2s: want "^disk /: 96% used .critical.$"
at 20m: root is warning "disk /: 94% used (warning, no longer critical)"
at 21m: root is critical "disk /: 95% used (critical)"
at 30m: root is warning "disk /: 90% used (warning, no longer critical)"
between 32m and 32m2s: want "no longer critical"
at 40m: root is critical "disk /: 99% used (critical)"
at 43m: root is warning "disk /: 90% used (warning, no longer critical)"
at 50m: root is ok "disk /: 10% used (ok again)"
between 52m and 52m2s: want "ok again"
end 2h
