# Run inside a booted Debian by test_readme_service.py: the life of a service.
set -eu
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PIP_NO_INDEX=1 PIP_NO_COMPILE=1 PIP_FIND_LINKS={wheels}  # a package index without a network
cd {root}
show() {{ systemctl show -p "$1" --value notifyd; }}
socket() {{ stat -c '%a %U %G' /run/notifyd/notifyd.sock; }}
is_up() {{ notifyd status --socket /run/notifyd/notifyd.sock > /dev/null 2>&1; }}
wait_until() {{ until eval "$1"; do sleep 0.1; done; }}
post() {{
  curl -s --max-time 100 --unix-socket /run/notifyd/notifyd.sock -d "{{\"title\": \"$1\"}}" \
    -H 'Content-Type: application/json' http://localhost/notifications/send
}}

# The platform: a relay on this machine.
OBLIEN_CLIENT_ID=id OBLIEN_CLIENT_SECRET=secret \
  {python} -m notifyd relay --database /root/relay.db > /dev/null &
until answer=$(curl -sf http://127.0.0.1:8788/notifications/tokens -d '{{"workspace_id": "w"}}' \
  -H 'Content-Type: application/json' -H 'X-Client-ID: id' -H 'X-Client-Secret: secret'); do
  sleep 0.1
done
token=$(echo "$answer" | grep -o 'onp_[A-Za-z0-9_-]*' | sort | tail -1)
mkdir -p /etc/notifyd/config.d
printf '[socket]\nmode = "0600"\n' > /etc/notifyd/config.d/socket.toml
echo NOTIFYD_API__URL=http://127.0.0.1:8788 | sh -eu {scripts}/variables 2> /dev/null || true

{python} tests/systemd/type_when_asked.py 'Send token' "$token" sh -eux {scripts}/install
sh -eux {scripts}/use
echo service: $(show User) $(show ActiveState) $(show UnitFileState) status: $(show StatusText)
echo program: $(tr '\0' ' ' < /proc/$(show MainPID)/cmdline)
echo socket: $(socket)
wait_until "notifyd history | grep -q 'no_device.*Hello from the service'"
echo sent to the relay
echo again: $(/opt/notifyd/bin/notifyd service install --now)
journalctl -q -o cat NOTIFYD_KEYS=mode
runuser -u notifyd -- cat /proc/$(show MainPID)/environ > /dev/null 2>&1 || echo memory: private

systemd-run --quiet --unit=broken --property=Type=oneshot false || true
wait_until "notifyd history | grep -q 'broken.service failed'"
echo a failed unit was reported

useradd --create-home ann
runuser -u ann -- notifyd send -t "from ann" || echo ann before: $?
sh -eux {scripts}/add_member
runuser -u ann -- notifyd send -t "from ann" > /dev/null && echo ann may send
cp -a /opt/notifyd /home/ann/pipx
chown -R ann /home/ann/pipx
/home/ann/pipx/bin/python -m notifyd service install || echo in a home: $?

before=$(show MainPID)
echo onp_another > /etc/notifyd/send-token
wait_until '[ "$(show MainPID)" != "$before" ] && is_up'
notifyd send -t "with another token" > /dev/null
wait_until 'show StatusText | grep -q "token refused"'
echo restarted with another token
(umask 077; echo "$token" > /etc/notifyd/send-token.new)
mv /etc/notifyd/send-token.new /etc/notifyd/send-token
wait_until 'show StatusText | grep -q "; 0 waiting$"'
echo restarted with a token that was renamed into place
rm /etc/notifyd/send-token
wait_until 'show StatusText | grep -q "no token" && systemctl --quiet is-active notifyd'
echo without a token: $(show ActiveState)
echo "$token" | sh -eux {scripts}/token
wait_until 'show StatusText | grep -q "; 0 waiting$"'

echo mistake > /etc/notifyd/config.d/wrong.toml
systemctl reload notifyd
wait_until 'show StatusText | grep -q "kept the old configuration"'
rm /etc/notifyd/config.d/wrong.toml
systemctl reload notifyd
wait_until 'show StatusText | grep -q "; 0 waiting$"'
echo reloaded: $(systemctl is-active notifyd)

kill -9 $(show MainPID)
wait_until '[ "$(show NRestarts)" = 1 ] && is_up'
echo after a kill: $(socket)
starts() {{ journalctl -q -o cat -u notifyd | grep -c '^Starting notifyd.service'; }}
before=$(starts)
echo mistake > /etc/notifyd/config.d/wrong.toml
systemctl stop notifyd
post "asked in vain"; echo
wait_until '[ "$(show ActiveState)" = failed ]'
rm /etc/notifyd/config.d/wrong.toml
systemctl start notifyd
systemctl stop notifyd
echo starts for a request and by hand: $(($(starts) - before))
echo stopped: $(show ActiveState) $(show Result) $(socket)
post "asked while stopped" | grep -q '"success": *true' && echo answered: $(show ActiveState)

mkdir -p /etc/systemd/system/notifyd.service.d
cat > /etc/systemd/system/notifyd.service.d/hang.conf <<END
[Service]
WatchdogSec=5
ExecStart=
ExecStart=/opt/notifyd/bin/python {root}/tests/systemd/hanging_daemon.py /run/hang/now
END
install -d -o notifyd /run/hang
systemctl daemon-reload
systemctl restart notifyd
before=$(show MainPID)
touch /run/hang/now
post "hangs" > /dev/null &
hung=$!
wait_until '[ "$(show MainPID)" != "$before" ] && is_up'
wait $hung || true
journalctl -q -o cat -u notifyd | grep 'Watchdog timeout'
rm /etc/systemd/system/notifyd.service.d/hang.conf

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
wait_until 'notifyd history app | grep -q app'
echo a private log was read
wait_until 'notifyd history generates-code | grep -q failed'
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

# A service of one user, who has no rights.
uid=$(id -u ann)
loginctl enable-linger ann
wait_until '[ -S /run/user/$uid/bus ]'
as_ann() {{ runuser -u ann -- env HOME=/home/ann XDG_RUNTIME_DIR=/run/user/$uid "$@"; }}
as_ann sh -eux < {scripts}/user
echo of a user: $(as_ann systemctl --user show -p StatusText --value notifyd)
echo of a user: $(stat -c '%a %U' /run/user/$uid/notifyd.sock) $(as_ann notifyd status --check)
as_ann systemctl --user stop notifyd
as_ann curl -sf --max-time 100 --unix-socket /run/user/$uid/notifyd.sock http://localhost/healthz
echo of a user: $(as_ann systemctl --user is-active notifyd)
as_ann notifyd service uninstall --user
echo of a user: $(as_ann systemctl --user is-active notifyd) $(ls /home/ann/.config/systemd/user)

sh -eux {scripts}/stop
echo stopped for good: $(systemctl is-active notifyd notifyd.socket)
echo spool: $(stat -c '%a %U %G' /var/spool/notifyd)
as_nobody() {{ runuser -u nobody -- "$@"; }}
as_nobody notifyd send --spool "spooled while stopped"
as_nobody ls /var/spool/notifyd 2> /dev/null || echo nobody can list it
sh -eux {scripts}/group_spools
as_nobody notifyd send --spool "not allowed" || echo only the group: $(stat -c %a /var/spool/notifyd)
sh -eux {scripts}/upgrade
echo upgraded: $(systemctl is-active notifyd)
wait_until 'notifyd history | grep -q "spooled while stopped"'
wait_until '[ -z "$(ls /var/spool/notifyd)" ]'
echo imported from the spool
rm /etc/tmpfiles.d/a-notifyd-spool.conf
sh -eux {scripts}/uninstall
sh -eux {scripts}/purge
echo left: $(ls -d /etc/notifyd /opt/notifyd /var/lib/notifyd /var/spool/notifyd /usr/local/bin/notifyd \
  /etc/systemd/system/*notifyd* /etc/sysusers.d/notifyd* /etc/tmpfiles.d/notifyd* 2> /dev/null)
