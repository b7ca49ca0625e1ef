# Rights that are granted and taken away.
install_quickly
mkdir -p /var/log/app
(umask 077; echo ALERT before > /var/log/app/app.log)
cat > /etc/notifyd/config.d/app.toml <<'END'
[triggers.app]
type = "log"
paths = "/var/log/app/app.log"
patterns = "ALERT"
debounce = "0s"
[triggers.generates-code]
type = "command"
run = "/usr/bin/python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=7)' && touch /tmp/code-ran"
every = "1s"
END
sh -eux {scripts}/private_logs
wait_until 'show StatusText | grep -q "watching 1 log,"'
echo 'ALERT root only' >> /var/log/app/app.log
wait_until 'ask "/v1/notifications?trigger=app" | grep -q "root only"'
echo a private log was read
wait_until 'ask "/v1/notifications?trigger=generates-code" | grep -q failed'
[ ! -e /tmp/code-ran ]
sh -eux {scripts}/with_commands
wait_until '[ -e /tmp/code-ran ]'
echo a command could generate code
wait_until 'pgrep -P $(show MainPID) journalctl > /dev/null'
child=$(pgrep -P $(show MainPID) journalctl | head -1)
echo rights: $(grep CapAmb /proc/$(show MainPID)/status) and of children: $(grep CapEff /proc/$child/status)
sed -i /^systemd-journal:/d /etc/group /etc/gshadow
sh -eux {scripts}/fewer_rights
echo fewer rights: $(grep CapEff /proc/$(show MainPID)/status)
echo without the group: $(systemctl is-active notifyd)
sh -eux {scripts}/log > /dev/null
if journalctl -q -u notifyd | grep -q "$token"; then exit 9; fi
