#!/bin/bash
# Process 1 of a guest. Its root is the host's / by hostfs, read-only; what must be writable is laid over it as tmpfs.
# From the kernel command line: PEERNAME, PEERRUN (the guest's run directory on the host), PEEROWNER (a process there).
#
# Run directory: in/N.cmd is a shell script to run; its output goes to out/N.out and its status to out/N.rc.
# The file "ready" appears when the guest listens; "stop" makes it power off, and so does the end of its owner.
export TMPDIR=/run PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/peer /run/lock /run/frr /dev/pts
mount -t devpts devpts /dev/pts 2>/dev/null
mount -t hostfs -o "$PEERRUN" none /run/peer
mkdir /run/owner
mount -t hostfs -o "/proc/$PEEROWNER" none /run/owner

# Kernel modules lie beside the host's own: a modprobe that looks only there, for us and for the kernel's requests.
mkdir -p /run/modroot/usr/lib/modules
ln -s usr/lib /run/modroot/lib
mount -t hostfs -o /usr/lib/uml/modules none /run/modroot/usr/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/modroot "$@"\n' >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe

for d in /etc/frr /var/log /var/lib /var/tmp; do mount -t tmpfs -o mode=755 tmpfs $d; done
mkdir -p /var/log/frr
ln -sfn /proc/self/fd /dev/fd

hostname "$PEERNAME"
ip link set lo up
for n in /sys/class/net/e*; do ip link set "${n##*/}" name wan0; done
# Whole packets only: a raw receiver at the other end would see unfinished checksums and segments.
for o in tso gso gro tx sg; do ethtool -K wan0 $o off >/dev/null 2>&1; done
set_all() { # NAME VALUE: for all network interfaces, present and future
	for d in all default; do echo "$2" >"/proc/sys/net/$(echo "$1" | sed "s,/conf/,/conf/$d/,")"; done
}
set_all ipv6/conf/disable_ipv6 1
set_all ipv4/conf/rp_filter 0
set_all ipv4/conf/send_redirects 0
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/kernel/panic
for m in ip_gre dummy nfnetlink_log ip_tables iptable_filter xt_NFLOG xt_limit af_packet; do /run/modprobe -q $m; done
touch /run/peer/ready

mkfifo /run/tick
exec 3<>/run/tick
while :; do
	if [ -e /run/peer/stop ] || [ ! -e /run/owner/stat ]; then
		echo o >/proc/sysrq-trigger
		sleep 9
	fi
	for f in /run/peer/in/*.cmd; do
		[ -f "$f" ] || continue
		b=${f##*/}
		b=${b%.cmd}
		mv "$f" "/run/peer/in/$b.run"
		(
			sh "/run/peer/in/$b.run" >"/run/peer/out/$b.out" 2>&1 </dev/null
			echo $? >"/run/peer/out/$b.tmp"
			rm -f "/run/peer/in/$b.run"
			mv "/run/peer/out/$b.tmp" "/run/peer/out/$b.rc"
		) &
	done
	read -r -t 0.02 -u 3 || : # a pause without a process of its own: four guests that look for work cost next to nothing
done
