# What systemd does when the token, the configuration or the service breaks.
install_quickly
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
