"""Commands of checks in the shipped service: without its capabilities, quiet when it stops."""

import json

from support.booted import booted, needs_systemd

SCRIPT = r"""
set -eu
cp {root}/systemd/notifyd.sysusers.conf /usr/lib/sysusers.d/notifyd.conf
systemd-sysusers
sed 's|^ExecStart=.*/notifyd |ExecStart={python} -m notifyd |' {root}/systemd/notifyd.service \
  > /etc/systemd/system/notifyd.service
mkdir -p /etc/notifyd /etc/systemd/system/notifyd.service.d
cat > /etc/systemd/system/notifyd.service.d/capabilities.conf <<'EOF'
[Service]
RuntimeDirectory=notifyd
CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE
AmbientCapabilities=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE
EOF
(umask 077; echo onp_secret > /etc/notifyd/send-token)
cat > /etc/notifyd/config.toml <<'EOF'
[api]
url = "http://127.0.0.1:9"
[triggers.rights]
type = "command"
run = "grep -E '^Cap(Prm|Eff|Amb)|NoNewPrivs' /proc/self/status; env | cut -d= -f1 | xargs; false"
[triggers.endless]
type = "command"
run = "trap 'exit 3' TERM; touch /var/lib/notifyd/runs; sleep 3600 & wait"
timeout = "1h"
[triggers.setuid]
type = "command"
run = ["/usr/bin/su", "--version"]
EOF
ask() {{ curl -sS --unix-socket /run/notifyd/notifyd.sock "http://localhost$1"; }}
until_true() {{ i=0; until eval "$1"; do i=$((i + 1)); [ $i -lt 900 ]; sleep 0.1; done; }}
systemctl daemon-reload
systemctl start notifyd
until_true '[ -e /var/lib/notifyd/runs ]'
until_true '[ $(ask /v1/notifications | grep -o queued | wc -l) -ge 2 ]'
systemctl stop notifyd
rm /var/lib/notifyd/runs
systemctl start notifyd
until_true '[ -e /var/lib/notifyd/runs ]'
ask /v1/notifications
"""


@needs_systemd
def test_commands_have_no_capabilities_and_a_stop_is_no_failure():
    said = json.loads(booted(SCRIPT, within=220))
    pushes = {row["trigger"]: row for row in said["notifications"]}
    assert pushes.keys() == {"rights", "setuid"}
    lines = pushes["rights"]["body"].splitlines()
    sets = dict(line.split(":", 1) for line in lines if line.startswith(("Cap", "NoNew")))
    assert sets.pop("NoNewPrivs").strip() == "1"
    assert {int(value, 16) for value in sets.values()} == {0}
    assert not {"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"} & set(lines[-1].split())
    assert "it needs privileges that NoNewPrivileges=" in pushes["setuid"]["title"]
