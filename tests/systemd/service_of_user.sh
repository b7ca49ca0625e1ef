# A service of one user, who has no rights.
install_quickly
useradd --create-home ann
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
