# VPNs of FRR's over MPLS (bgpd, ldpd), from settings in the environment; node.sh includes it.
#   VRFS="red blue"      a VRF each, with the same network 172.16.N.0/24 in all: .1 is the guest, .101, .102, … only the first's, the second's, …
#   VLANS="V:VRF:A V:VRF:A"  subinterfaces of wan0 with that tag in that VRF: the address A, of a /24
#   BGP="A A"            iBGP VPNv4 with these neighbours, AS 65000
#   BGPSRC=              address that BGP speaks from, and the next hop; default TUNNEL
#   REFLECT=1            the neighbours are route-reflector clients
#   ENCAP=gre            VPN routes go into the tunnel without a label of LDP's
#   LOOP=A               an address of the loopback
#   LDP="IF IF"          LDP on these interfaces, from LOOP
#   PASSWORD=            TCP MD5 of BGP and LDP
vpn_down() {
	for v in red blue net; do
		ip link del "l$v" 2>/dev/null
		ip link del "$v" 2>/dev/null
	done
	for i in /sys/class/net/wan0.*; do [ -e "$i" ] && ip link del "${i##*/}"; done
	for a in $(ip -4 -o addr show dev lo | sed -n 's/.*inet \([0-9.]*\)\/32.*/\1/p'); do ip addr del "$a/32" dev lo; done
	ip route flush proto static
	[ -e /proc/sys/net/mpls/platform_labels ] && echo 0 >/proc/sys/net/mpls/platform_labels
	true
}

vpn_links() {
	[ -n "$LOOP" ] && ip addr add "$LOOP/32" dev lo
	[ -z "$VRFS$LDP" ] && return
	for m in mpls_router mpls_iptunnel mpls_gso vrf dummy; do /run/modprobe -q $m; done
	echo 100000 >/proc/sys/net/mpls/platform_labels
	for i in lo gre1 wan0; do [ -e /proc/sys/net/mpls/conf/$i ] && echo 1 >/proc/sys/net/mpls/conf/$i/input; done
	echo 1 >/proc/sys/net/ipv4/tcp_l3mdev_accept
	echo 1 >/proc/sys/net/ipv4/udp_l3mdev_accept
	k=0
	for v in $VRFS; do
		k=$((k + 1))
		ip link add "$v" type vrf table $((1000 + k))
		ip link set "$v" up
		ip link add "l$v" type dummy
		ip link set "l$v" master "$v"
		ip addr add "172.16.$N.1/24" dev "l$v"
		ip addr add "172.16.$N.$((100 + k))/24" dev "l$v"
		ip link set "l$v" up
	done
	for v in $VLANS; do
		/run/modprobe -q 8021q
		i=wan0.${v%%:*} rest=${v#*:}
		ip link add link wan0 name "$i" type vlan id "${v%%:*}"
		ip link set "$i" master "${rest%%:*}"
		ip addr add "${rest#*:}/24" dev "$i"
		ip link set "$i" up
	done
}

vpn_daemons() {
	[ -n "$BGP" ] && echo bgpd
	[ -n "$LDP" ] && echo ldpd
	true
}

# vpn_config prints lines of frr.conf.
vpn_config() {
	if [ -n "$BGP" ]; then
		: "${BGPSRC:=$TUNNEL}"
		[ -n "$ENCAP" ] && printf 'route-map ENCAP permit 10\n set l3vpn next-hop encapsulation %s\nexit\n' "$ENCAP"
		for i in gre1 wan0; do [ -e /sys/class/net/$i ] && printf 'interface %s\n mpls bgp forwarding\nexit\n' $i; done
		echo "router bgp 65000"
		echo " bgp router-id $BGPSRC"
		echo " no bgp default ipv4-unicast"
		[ -n "$REFLECT" ] && echo " no bgp network import-check"
		for p in $BGP; do
			echo " neighbor $p remote-as 65000"
			echo " neighbor $p timers 5 15"
			echo " neighbor $p timers connect 2"
			echo " neighbor $p update-source $BGPSRC"
			echo " neighbor $p disable-connected-check"
			[ -n "$PASSWORD" ] && echo " neighbor $p password $PASSWORD"
		done
		echo " address-family ipv4 vpn"
		for p in $BGP; do
			echo "  neighbor $p activate"
			[ -n "$ENCAP" ] && echo "  neighbor $p route-map ENCAP in"
			[ -n "$REFLECT" ] && echo "  neighbor $p route-reflector-client"
		done
		echo " exit-address-family"
		echo exit
		k=0
		for v in $VRFS; do
			k=$((k + 1))
			echo "router bgp 65000 vrf $v"
			echo " bgp router-id $BGPSRC"
			echo " address-family ipv4 unicast"
			echo "  redistribute connected"
			echo "  label vpn export auto"
			echo "  rd vpn export 65000:$((k * 100 + N))"
			echo "  rt vpn both 65000:$((k * 100))"
			echo "  export vpn"
			echo "  import vpn"
			echo " exit-address-family"
			echo exit
		done
	fi
	if [ -n "$LDP" ]; then
		echo "mpls ldp"
		echo " router-id $LOOP"
		[ -n "$PASSWORD" ] && for p in $BGP; do echo " neighbor $p password $PASSWORD"; done
		echo " address-family ipv4"
		echo "  discovery transport-address $LOOP"
		for i in $LDP; do echo "  interface $i"; echo "  exit"; done
		echo " exit-address-family"
		echo exit
	fi
}
