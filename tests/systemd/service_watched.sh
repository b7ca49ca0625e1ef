# A daemon that hangs, failed units, and whoever may send.
install_quickly
systemd-run --quiet --unit=broken --property=Type=oneshot false || true
wait_until "has_sent 'broken.service failed'"
echo a failed unit was reported

useradd --create-home ann
runuser -u ann -- notifyd send -t "from ann" || echo ann before: $?
sh -eux {scripts}/add_member
runuser -u ann -- notifyd send -t "from ann" > /dev/null && echo ann may send
cp -a /opt/notifyd /home/ann/pipx
chown -R ann /home/ann/pipx
/home/ann/pipx/bin/python -m notifyd service install || echo in a home: $?

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
