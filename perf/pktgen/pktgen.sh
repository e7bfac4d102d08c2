#!/usr/bin/env bash
# Sends a mix of naveperf by pktgen, the packet generator of the Linux kernel. Root, and the module pktgen.
#
#   pktgen.sh --iface eth1 --mac 02:00:00:00:00:01 --mix perf/mix/mixes/imix.mix [--rate PPS] [--seconds N] [--cpu N] [--threads N] [--dry-run]
#
# --rate is packets a second, of all threads together; without it as fast as can be. --threads takes so many CPUs from --cpu on, each with a queue of its own.
# --dry-run prints what would be written into which file, and touches nothing. pktgen knows UDP in IPv4, MPLS labels and mixes of sizes; no GRE, no ESP.
set -euo pipefail

die() { echo "pktgen.sh: $*" >&2; exit 1; }

iface= mac= mix= rate=0 seconds=10 cpu=0 threads=1 dry=
while [ $# -gt 0 ]; do
	case "$1" in
	--dry-run) dry=1; shift; continue ;;
	--help | -h) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
	--iface | --mac | --mix | --rate | --seconds | --cpu | --threads) [ $# -ge 2 ] || die "$1 wants a value" ;;
	*) die "unknown argument $1 (--help tells them)" ;;
	esac
	declare "${1#--}=$2"
	shift 2
done
[ -n "$iface" ] || die "say --iface NAME"
[[ $mac =~ ^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$ ]] || die "say --mac with the Ethernet address of the gateway, not '$mac'"
[ -r "$mix" ] || die "say --mix FILE (nave's are in perf/mix/mixes); '$mix' can't be read"
for v in rate seconds cpu threads; do
	[[ ${!v} =~ ^[0-9]{1,9}$ ]] || die "--$v ${!v}: want a number"
done
[ "$threads" -ge 1 ] || die "--threads 0: want at least 1"

# The mix. Sizes are of IPv4 packets; pktgen counts Ethernet's header, too.
name= from=10.1.0.7 to=10.2.0.7 flows=1 over=1 tos=0 labels= burst=1
sizes=() weights=()
line=0
while read -r word a b c d _; do
	line=$((line + 1))
	case "${word%%#*}" in
	'') ;;
	mix) name=$a ;;
	about) ;;
	size | frame)
		[[ $a =~ ^[0-9]+$ ]] || die "$mix:$line: '$a' is no number"
		n=$a
		[ "$word" = size ] || n=$((n - 18))
		[ "$n" -ge 28 ] && [ "$n" -le 1500 ] || die "$mix:$line: packet of $n bytes: want 28 to 1500"
		sizes+=($((n + 14)))
		w=1
		if [ "${b:-}" = weight ]; then w=$c; fi
		[[ $w =~ ^[1-9][0-9]*$ ]] || die "$mix:$line: weight '$w'"
		weights+=("$w")
		;;
	from) from=$a ;;
	to) to=$a ;;
	flows)
		flows=$a
		if [ "${b:-}" = over ]; then over=$c; fi
		[[ $flows$over =~ ^[0-9]+$ ]] || die "$mix:$line: flows '$flows' over '$over'"
		;;
	tos) tos=$((a)) ;;
	df) ;; # pktgen sets no flags
	mpls)
		for l in $a $b $c $d; do labels+="${labels:+ }$l"; done
		;;
	burst) burst=$a ;;
	gre | esp) die "$mix:$line: pktgen can't send $word; naveperf gen and TRex can" ;;
	*) die "$mix:$line: unknown word '$word'" ;;
	esac
done <"$mix"
[ -n "$name" ] && [ ${#sizes[@]} -gt 0 ] || die "$mix: no name or no size"

# after ADDRESS N is the address N further on.
after() {
	local IFS=. p
	read -r -a p <<<"$1"
	local n=$(((p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]) + $2))
	echo "$((n >> 24 & 255)).$((n >> 16 & 255)).$((n >> 8 & 255)).$((n & 255))"
}

# mpls_words makes pktgen's labels: hexadecimal words with the bottom bit on the last and a TTL of 64.
mpls_words() {
	local out= n=$# k=0 l
	for l in "$@"; do
		k=$((k + 1))
		out+="${out:+,}$(printf '%08x' $((l << 12 | (k == n ? 256 : 0) | 64)))"
	done
	echo "$out"
}

proc=/proc/net/pktgen
put() { # FILE TEXT
	if [ -n "$dry" ]; then
		echo "$proc/$1: $2"
		return
	fi
	echo "$2" >"$proc/$1" || die "$proc/$1 does not take '$2': $(grep -h Result "$proc/$1" || true)"
}

if [ -z "$dry" ]; then
	[ "$(id -u)" = 0 ] || die "needs root"
	[ -d $proc ] || modprobe pktgen || die "no module pktgen"
	trap 'echo reset >$proc/pgctrl || true' EXIT
fi
put pgctrl reset
for ((t = 0; t < threads; t++)); do
	thread=kpktgend_$((cpu + t)) dev=$iface@$((cpu + t))
	put "$thread" rem_device_all
	put "$thread" "add_device $dev"
	put "$dev" "count 0"
	put "$dev" "clone_skb 0"
	put "$dev" "pkt_size ${sizes[0]}"
	if [ ${#sizes[@]} -gt 1 ]; then
		mixture=
		for k in "${!sizes[@]}"; do mixture+="${mixture:+ }${sizes[k]},${weights[k]}"; done
		put "$dev" "imix_weights $mixture"
	fi
	put "$dev" "dst_mac $mac"
	put "$dev" "src_min $from"
	put "$dev" "src_max $from"
	put "$dev" "dst_min $to"
	put "$dev" "dst_max $(after "$to" $((over - 1)))"
	put "$dev" "udp_src_min 1024"
	put "$dev" "udp_src_max $((1024 + (flows > 60000 ? 60000 : flows)))"
	put "$dev" "udp_dst_min 1024"
	put "$dev" "udp_dst_max 1024"
	[ "$tos" = 0 ] || put "$dev" "tos $(printf '%02x' "$tos")"
	# shellcheck disable=SC2086 # the labels are words
	[ -z "$labels" ] || put "$dev" "mpls $(mpls_words $labels)"
	put "$dev" "queue_map_min $t"
	put "$dev" "queue_map_max $t"
	[ "$burst" = 1 ] || put "$dev" "burst $((burst > 64 ? 64 : burst))"
	[ "$rate" = 0 ] || put "$dev" "ratep $((rate / threads))"
done
if [ -n "$dry" ]; then
	echo "$proc/pgctrl: start"
	echo "# and after $seconds s: stop"
	exit 0
fi
echo "sending $name for $seconds s" >&2
echo start >$proc/pgctrl &
starter=$!
sleep "$seconds"
echo stop >$proc/pgctrl
wait "$starter" || true
for ((t = 0; t < threads; t++)); do sed -n '/^Result/,$p' "$proc/$iface@$((cpu + t))"; done
