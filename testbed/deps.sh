#!/usr/bin/env bash
# Installs by apt what is missing for `make demo` (argument: demo) or `make test` (argument: test). Debian 12, root.
set -euo pipefail
demo="iproute2 iputils-ping ethtool iperf3"
# frr and strongSwan run in user-mode-linux guests, whose root is this machine's; nothing of them runs here
test="$demo gcc libc6-dev python3 curl prometheus tcpdump tshark nftables kmod iptables dnsmasq-base user-mode-linux frr
strongswan-charon strongswan-swanctl libstrongswan-standard-plugins libstrongswan-extra-plugins libcharon-extra-plugins ike-scan"
case "${1:-}" in demo) want=$demo ;; test) want=$test ;; *) echo "usage: $0 demo|test" >&2; exit 2 ;; esac
missing=
for p in $want; do dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"; done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then echo "missing packages:$missing. Install them, or run this as root." >&2; exit 1; fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# a daemon that a package brings must not start by itself on this machine
policy=/usr/sbin/policy-rc.d made=
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; made=1; }
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
apt-get install -y -qq --no-install-recommends $missing >/dev/null
