# EIGRP of FRR's over the tunnel, from settings in the environment; node.sh includes it.
#   EIGRP=AS             on gre1 and on the LAN, once eigrp_start says so; Hellos every 2 s, held for 8 s
#
# FRR 8.4's nhrpd takes an interface with one host address only, and its eigrpd no neighbour outside of the interface's network. So nhrpd is
# left without zebra once it has registered; then gre1 has the whole network, and another zebra serves eigrpd. nhrpd goes on registering, answers requests, and
# sends multicast on; the kernel's questions for link-layer addresses come to it by zebra, so the hub's is put in place.
eigrp_prepare() {
	rm -f /run/eigrp.on
	[ -n "$EIGRP" ] || return 0
	i=0
	while ! vtysh -d nhrpd -c 'show ip nhrp' | grep -q "nhs .*$HUB" && [ $i -lt 200 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	kill -9 "$(cat /run/frr/zebra.pid)"
	rm -f /run/frr/zebra.* /run/frr/zserv.api
	ip addr add "$TUNNEL/24" dev gre1
	ip addr del "$TUNNEL/32" dev gre1
	for a in $(vtysh -d nhrpd -c 'show ip nhrp' | sed -n "s/.* nhs *\([0-9.]*\) *$HUB .*/\1/p"); do ip neigh replace "$a" lladdr "$HUB" dev gre1 nud permanent; done
	{
		echo "log file /var/log/frr/eigrpd.log"
		echo "router eigrp $EIGRP"
		echo " eigrp router-id $TUNNEL"
		echo " network $TUNNEL/24"
		echo " network $LAN.0/24"
		echo exit
	} >/run/frr/eigrpd.conf
	: >/var/log/frr/eigrpd.log
	chown frr:frr /run/frr/eigrpd.conf /var/log/frr/eigrpd.log
	/usr/lib/frr/zebra -d -s 90000000 -A 127.0.0.1 -z /run/frr/second.api || echo "zebra does not start: $?"
}

# eigrp_start starts eigrpd, for the first time or again.
eigrp_start() {
	cat /var/log/frr/eigrpd.log >>/var/log/frr/eigrpd.old
	: >/var/log/frr/eigrpd.log
	rm -f /run/frr/eigrpd.pid /run/frr/eigrpd.vty
	/usr/lib/frr/eigrpd -d -A 127.0.0.1 -z /run/frr/second.api -f /run/frr/eigrpd.conf || echo "eigrpd does not start: $?"
	touch /run/eigrp.on
	eigrp_timers
}

# eigrp_timers sets those of the tunnel, which eigrpd takes only once it runs EIGRP there, and forgets with it.
eigrp_timers() {
	i=0
	while vtysh -d eigrpd -c 'configure terminal' -c 'interface gre1' -c 'ip hello-interval eigrp 2' -c 'ip hold-time eigrp 8' | grep -q % && [ $i -lt 100 ]; do
		sleep 0.1
		i=$((i + 1))
	done
}

# eigrp_kill kills eigrpd without a word to its neighbours.
eigrp_kill() {
	rm -f /run/eigrp.on
	kill -9 "$(cat /run/frr/eigrpd.pid)"
}

# eigrp_revive starts an eigrpd again that has ended by an assertion or a fault of its own, and prints that.
eigrp_revive() {
	[ -e /run/eigrp.on ] || return 0
	kill -0 "$(cat /run/frr/eigrpd.pid)" 2>/dev/null && return 0
	grep -e 'assertion .* failed' -e 'Received signal' /var/log/frr/eigrpd.log || { echo "eigrpd has ended:"; tail -5 /var/log/frr/eigrpd.log; return 1; }
	eigrp_start
}
