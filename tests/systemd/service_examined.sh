install_quickly > /dev/null
doctor() {{ notifyd doctor || true; }}
wait_until is_up
post "works" > /dev/null
wait_until "notifyd history | grep -q 'no_device.*works'"
echo in order: $(doctor | tail -1)
echo as anybody: $(runuser -u nobody -- notifyd doctor)

systemctl disable -q notifyd
systemctl stop notifyd.service
doctor
echo still stopped: $(systemctl is-active notifyd.service)

systemctl start notifyd
systemctl stop notifyd-token.path
touch /etc/notifyd/send-token
chmod 700 /root
printf '[triggers.private]\ntype = "log"\npaths = ["/root/private.log"]\npatterns = ["x"]\n' \
  > /etc/notifyd/config.d/private.toml
sed -i 's/^Restart=.*/Restart=no/' /etc/systemd/system/notifyd.service
doctor

chmod 600 /etc/notifyd/config.toml
systemctl restart notifyd || true
doctor
