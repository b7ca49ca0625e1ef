# The installation that the README shows, until it is removed.
printf '[socket]\nmode = "0600"\n' > /etc/notifyd/config.d/socket.toml
type_token sh -eux {scripts}/install
sh -eux {scripts}/use
wait_until 'show StatusText | grep -q "watching 1 journal unit; 0 waiting"'
echo service: $(show User) $(show ActiveState) $(show UnitFileState) status: $(show StatusText)
echo program: $(tr '\0' ' ' < /proc/$(show MainPID)/cmdline)
echo socket: $(socket)
wait_until "has_sent 'Hello from the service'"
wait_until "notifyd history | grep -q 'no_device.*Hello from the service'"
echo sent to the relay
echo again: $(/opt/notifyd/bin/notifyd service install --now)
journalctl -q -o cat NOTIFYD_KEYS=mode
runuser -u notifyd -- cat /proc/$(show MainPID)/environ > /dev/null 2>&1 || echo memory: private

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
wait_until 'has_sent "spooled while stopped"'
wait_until '[ -z "$(ls /var/spool/notifyd)" ]'
echo imported from the spool
rm /etc/tmpfiles.d/a-notifyd-spool.conf
sh -eux {scripts}/uninstall
sh -eux {scripts}/purge
echo left: $(ls -d /etc/notifyd /opt/notifyd /var/lib/notifyd /var/spool/notifyd /usr/local/bin/notifyd \
  /etc/systemd/system/*notifyd* /etc/sysusers.d/notifyd* /etc/tmpfiles.d/notifyd* 2> /dev/null)
