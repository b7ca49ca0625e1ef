Each level is reported once: a rise despite the cooldown, a fall and the end at once, and a later rise again.
-----
[triggers.root]
type = "resource"
resource = "disk"
path = "/"
repeat = "3h"
-----
start 2026-03-02 12:00 UTC
at 0s: root is warning "disk /: 81% used (warning)"
between 0s and 2s: want "^disk /: 81% used .warning.$"
at 10s: root is critical "disk /: 96% used (critical)"
between 10s and 12s: want "^disk /: 96% used .critical.$"
at 1m: root is critical "disk /: 97% used (critical)"
at 2m: root is warning "disk /: 90% used (warning, no longer critical)"
between 2m and 2m2s: want "no longer critical"
at 2h: root is critical "disk /: 98% used (critical)"
between 2h and 2h2s: want "^disk /: 98% used .critical.$"
between 3h and 3h2s: want "^train: still critical$" "98% used"
at 4h: root is ok "disk /: 50% used (ok again)"
between 4h and 4h2s: want "^disk /: 50% used .ok again.$"
end 9h
