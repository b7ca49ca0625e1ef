"""The shipped unit under a real systemd."""

import shutil
import subprocess

import pytest

from support.booted import ROOT, booted, needs_systemd

UNIT = ROOT / "systemd" / "notifyd.service"

INSTALL = r"""
set -eu
cp {root}/systemd/notifyd.sysusers.conf /usr/lib/sysusers.d/notifyd.conf
systemd-sysusers
cp {root}/systemd/notifyd* /etc/systemd/system/
sed -i 's|^ExecStart=.*/notifyd |ExecStart={python} -m notifyd |' \
  /etc/systemd/system/notifyd.service
"""

WITHOUT_TOKEN = (
    INSTALL
    + r"""
mkdir -p /etc/notifyd
printf '[api]\nurl = "http://127.0.0.1:9"\n' > /etc/notifyd/config.toml
systemctl daemon-reload
systemctl start notifyd || true
echo without a token: $(systemctl show -p ActiveState,ExecMainStatus notifyd)
(umask 077; echo onp_secret > /etc/notifyd/send-token)
until [ "$(systemctl is-active notifyd)" = active ]; do sleep 0.1; done
systemctl stop notifyd
echo path unit: $(systemctl is-active notifyd-token.path)
"""
)

SCRIPT = (
    INSTALL
    + r"""
mkdir -p /etc/notifyd /var/log/app
(umask 077; echo onp_secret > /etc/notifyd/send-token)
echo 'private' > /var/log/app/app.log; chmod 600 /var/log/app/app.log
cat > /etc/notifyd/config.toml <<'EOF'
[api]
url = "http://127.0.0.1:9"
[triggers.app]
type = "log"
paths = ["/var/log/app/app.log"]
patterns = ['ALERT']
debounce = "0s"
[triggers.entries]
type = "log"
journal = "*"
patterns = '^logged'
debounce = "0s"
cooldown = "0s"
EOF
wait_for() {{  # wait until a trigger has so many notifications
  i=0; history="{python} -m notifyd history --socket /run/notifyd/notifyd.sock"
  until [ $($history | grep -c $1) -ge $2 ]; do
    i=$((i + 1)); [ $i -lt 50 ]; sleep 0.1
  done
  echo notified: $1 $2
}}
systemctl daemon-reload
systemctl start notifyd
systemctl show -p User,ActiveState,StatusText notifyd
stat -c '%a %U' /run/notifyd/notifyd.sock /var/lib/notifyd
echo 'ALERT root only' >> /var/log/app/app.log
wait_for app 1
logger 'logged with all capabilities'
wait_for entries 1
systemctl reload notifyd
i=0
until [ "$(systemctl is-active notifyd)" = active ]; do  # systemd hears of the end a little later
  i=$((i + 1)); [ $i -lt 50 ]; sleep 0.1
done
echo reloaded: $(systemctl is-active notifyd)
kill -9 $(systemctl show -p MainPID --value notifyd)
i=0
until {python} -m notifyd status --socket /run/notifyd/notifyd.sock >/dev/null; do
  i=$((i + 1)); [ $i -lt 100 ]; sleep 0.1
done
echo restarted: $(systemctl show -p NRestarts --value notifyd)
systemctl stop notifyd
echo stopped: $(systemctl show -p Result,ExecMainStatus notifyd | tr '\n' ' ')
mkdir /etc/systemd/system/notifyd.service.d
printf '[Service]\nCapabilityBoundingSet=\nAmbientCapabilities=\n' \
  > /etc/systemd/system/notifyd.service.d/none.conf
systemctl daemon-reload
logger 'logged while it was away'
systemctl start notifyd
wait_for entries 2
systemctl stop notifyd
if journalctl -u notifyd | grep onp_secret; then exit 9; fi
sed -i /^systemd-journal:/d /etc/group
systemctl start notifyd
echo without the group: $(systemctl is-active notifyd)
"""
)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_unit_is_hardened(tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/notifyd", "/bin/true"))
    for words in (["verify", unit], ["security", "--offline=yes", "--threshold=25", unit]):
        done = subprocess.run(
            ["systemd-analyze", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs_systemd
def test_the_service_starts_reads_reloads_and_survives_a_kill():
    said = booted(SCRIPT, within=150)
    for words in (
        "User=notifyd",
        "ActiveState=active",
        "StatusText=2 triggers",
        "660 notifyd",
        "700 notifyd",
        "reloaded: active",
        "restarted: 1",
        "stopped: Result=success ExecMainStatus=0",
        "notified: entries 2",
        "without the group: active",
    ):
        assert words in said, said


@needs_systemd
def test_a_service_without_a_token_starts_when_the_token_is_written():
    said = booted(WITHOUT_TOKEN, within=150)
    assert "without a token: ExecMainStatus=243 ActiveState=failed" in said, said
    assert "path unit: inactive" in said, said
