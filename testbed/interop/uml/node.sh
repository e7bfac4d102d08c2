# Makes the guest a DMVPN node of FRR's, from settings in the environment; what it was before is taken away first.
#   ROLE=hub|spoke|pe|gre|none  pe has no tunnel; gre has no FRR, but a tunnel to GATEWAY; none only takes away
#   N=1..9               spoke N: tunnel 10.255.0.1N, NBMA 192.0.2.1N, LAN 10.N.0.0/24. Hub: 10.255.0.1, 192.0.2.1, 10.0.0.0/24
#   TUNNEL= NBMA= LAN=   other addresses than these (LAN without the last byte: 10.9.0)
#   HUB= NHS=            where a spoke registers: NBMA address, and tunnel address or "dynamic"
#   KEY= NETID= HOLD= TMTU=  tunnel key, network-id, holdtime, MTU of the tunnel
#   NOUNIQUE=1           register without the unique flag
#   ROUTES="P=G P=G"     static routes over the tunnel: prefix and gateway
#   NBMAGW=              default gateway
#   IPSEC=               GRE goes in ESP; swan.sh says what else there is to set
#   VRFS= BGP= LDP=      VPNs and labels; vpn.sh says what else there is to set
#   EIGRP=AS             EIGRP over the tunnel; eigrp.sh says how
. /run/peer/swan.sh
. /run/peer/vpn.sh
. /run/peer/eigrp.sh
: "${ROLE:?}" "${N:=1}" "${KEY:=100000}" "${HUB:=192.0.2.1}" "${NHS:=dynamic}" "${HOLD:=300}" "${TMTU:=1400}" "${NETID:=1}"
if [ "$ROLE" = hub ]; then
	: "${NBMA:=192.0.2.1}" "${TUNNEL:=10.255.0.1}" "${LAN:=10.0.0}"
else
	: "${NBMA:=192.0.2.1$N}" "${TUNNEL:=10.255.0.1$N}" "${LAN:=10.$N.0}"
fi

# end_all ends processes, all at once.
end_all() {
	[ $# -gt 0 ] || return 0
	kill "$@" 2>/dev/null
	i=0
	while [ $# -gt 0 ] && [ $i -lt 30 ]; do
		sleep 0.1
		i=$((i + 1))
		n=$#
		while [ $n -gt 0 ]; do # those that are left
			kill -0 "$1" 2>/dev/null && set -- "$@" "$1"
			shift
			n=$((n - 1))
		done
	done
	[ $# -eq 0 ] || kill -9 "$@" 2>/dev/null
}
daemons= zebra=
for f in /run/frr/*.pid; do
	[ -f "$f" ] && read -r p <"$f" || continue
	case $f in */zebra.pid) zebra=$p ;; *) daemons="$daemons $p" ;; esac
done
# Their connections end with them: what a kernel still says for a process that is gone would be seen in the next scenario, by another way.
read -r orphans </proc/sys/net/ipv4/tcp_max_orphans
echo -1 >/proc/sys/net/ipv4/tcp_max_orphans
end_all $daemons
end_all $zebra # which takes their routes away
echo "$orphans" >/proc/sys/net/ipv4/tcp_max_orphans
rm -f /run/frr/*.pid
[ -f /run/neigh.pid ] && kill "$(cat /run/neigh.pid)" 2>/dev/null
rm -f /run/neigh.pid
swan_down
vpn_down
iptables-legacy -F
ip link del gre1 2>/dev/null
ip link del lan0 2>/dev/null
ip addr flush dev wan0
ip neigh flush dev wan0
[ "$ROLE" = none ] && exit 0

ip addr add "$NBMA/24" dev wan0
ip link set wan0 up
[ -n "$NBMAGW" ] && ip route add default via "$NBMAGW"
ip link add lan0 type dummy
ip addr add "$LAN.1/24" dev lan0
ip link set lan0 up
if [ "$ROLE" != pe ]; then
	# FRR itself sets no key where it sets the tunnel's source: the kernel's tool does both. The address must be a /32.
	remote= bits=32
	[ "$ROLE" = gre ] && remote="remote $GATEWAY" bits=24
	[ -n "$IPSEC" ] && swan_modules && swan_closed # before the tunnel is there
	ip tunnel add gre1 mode gre key "$KEY" local "$NBMA" $remote ttl 64
	ethtool -K gre1 tx off >/dev/null 2>&1
	ip addr add "$TUNNEL/$bits" dev gre1
	ip link set gre1 mtu "$TMTU" up multicast on
	[ -n "$IPSEC" ] && swan_up # before FRR, whose first packets would find no policy
	[ "$ROLE" = gre ] && exit 0
fi
vpn_links

# FRR learns from these rules what to redirect and what multicast to send; the kernel must not send the latter itself.
iptables-legacy -A FORWARD -i gre1 -o gre1 -m limit --limit 4/second --limit-burst 5 -j NFLOG --nflog-group 1 --nflog-size 128
iptables-legacy -A OUTPUT -o gre1 -d 224.0.0.0/24 -j NFLOG --nflog-group 2
iptables-legacy -A OUTPUT -o gre1 -d 224.0.0.0/24 -j DROP

{
	echo "log file /var/log/frr/frr.log"
	echo "debug nhrp common"
	echo "nhrp nflog-group 1"
	echo "nhrp multicast-nflog-group 2"
	if [ "$ROLE" = pe ]; then
		for r in $ROUTES; do echo "ip route ${r%=*} ${r#*=}"; done
	else
		for r in $ROUTES; do echo "ip route ${r%=*} ${r#*=} gre1 onlink"; done
		echo "interface gre1"
		echo " ip nhrp network-id $NETID"
		echo " ip nhrp holdtime $HOLD"
		[ -n "$NOUNIQUE" ] && echo " ip nhrp registration no-unique"
		if [ "$ROLE" = hub ]; then
			echo " ip nhrp map multicast dynamic"
			echo " ip nhrp redirect"
		else
			echo " ip nhrp map multicast $HUB"
			echo " ip nhrp shortcut"
			echo " ip nhrp nhs $NHS nbma $HUB"
		fi
		echo exit
	fi
	vpn_config
} >/etc/frr/frr.conf
echo 'service integrated-vtysh-config' >/etc/frr/vtysh.conf
: >/var/log/frr/frr.log
chown -R frr:frr /etc/frr /run/frr /var/log/frr
for d in zebra staticd nhrpd $(vpn_daemons); do
	x=
	[ $d = zebra ] && x="-s 90000000"
	/usr/lib/frr/$d -d $x -A 127.0.0.1 || echo "$d does not start: $?"
done
vtysh -b
eigrp_prepare

# FRR 8.4 answers the kernel's question for an NHS's link-layer address with 0.0.0.0, now and then, and keeps to it: nothing leaves for the hub any more. What
# its own cache says is put in place again.
if [ "$ROLE" = spoke ]; then
	while sleep 0.5; do
		for a in $(ip neigh show dev gre1 | sed -n 's/^\([0-9.]*\) .*lladdr 0\.0\.0\.0 .*/\1/p'); do
			vtysh -c 'show ip nhrp' | grep -q "nhs *$a *$HUB " && ip neigh replace "$a" lladdr "$HUB" dev gre1 nud reachable
		done
	done >/dev/null 2>&1 &
	echo $! >/run/neigh.pid
fi
