# Run inside a booted Debian, before one of the parts of the story of test_readme_service.py.
set -eu
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PIP_NO_INDEX=1 PIP_NO_COMPILE=1 PIP_FIND_LINKS={wheels}  # a package index without a network
cd {root}
show() {{ systemctl show -p "$1" --value notifyd; }}
socket() {{ stat -c '%a %U %G' /run/notifyd/notifyd.sock; }}
ask() {{ curl -s --max-time 100 --unix-socket /run/notifyd/notifyd.sock "http://localhost$@"; }}
is_up() {{ ask /healthz > /dev/null; }}
has_sent() {{ ask /v1/notifications | grep -q "$1"; }}
wait_until() {{ until eval "$1"; do sleep 0.2; done; }}
post() {{
  ask /notifications/send -d "{{\"title\": \"$1\"}}" -H 'Content-Type: application/json'
}}
type_token() {{ {python} tests/systemd/type_when_asked.py 'Send token' "$token" "$@"; }}

# The program as it is installed here; the part about the README installs it as shown there.
install_quickly() {{
  python3 -m venv --without-pip /opt/notifyd
  printf '%s\n' {root} {packages} > $(echo /opt/notifyd/lib/python3*/site-packages)/here.pth
  printf '#!/opt/notifyd/bin/python3\nimport sys\nfrom notifyd.cli import main\nsys.exit(main())\n' \
    > /opt/notifyd/bin/notifyd
  chmod +x /opt/notifyd/bin/notifyd
  type_token /opt/notifyd/bin/notifyd service install --now
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
echo NOTIFYD_API__URL=http://127.0.0.1:8788 | sh -eu {scripts}/variables 2> /dev/null || true
