Groups beyond max_groups share one notification, which names none of them.
-----
[triggers.login]
type = "log"
paths = "/x"
patterns = 'failed login of (?P<u>u\d+)'
group_by = "u"
max_groups = 2
title = "{{ fields.u }}: {{ count }} failed logins"
-----
start 2026-03-02 12:00 UTC
at 0s: login matches "failed login of u1"
at 0s: login matches "failed login of u2"
at 0s: login matches "failed login of u3"
at 0s: login matches "failed login of u4" 3 times
between 2s and 3s: want "^u1: 1 failed logins$"
between 2s and 3s: want "^u2: 1 failed logins$"
between 2s and 3s: want "^login: 4 in other groups \(more than max_groups = 2\)$" "u4\n.*u3\n4"
end 2h
