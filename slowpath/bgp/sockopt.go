package bgp

import (
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// setsockopt does something to a socket by its raw connection.
func setsockopt(c syscall.RawConn, f func(fd int) error) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// signWith makes the kernel sign what goes to addresses of p, and take only what they signed, with key (RFC 2385). An empty key
// takes the key for p away.
func signWith(c syscall.RawConn, p netip.Prefix, key Secret) error {
	t := unix.TCPMD5Sig{Keylen: uint16(copy(new(unix.TCPMD5Sig).Key[:], key))}
	copy(t.Key[:], key)
	defer clear(t.Key[:])
	opt := unix.TCP_MD5SIG
	if !p.IsSingleIP() {
		opt, t.Flags, t.Prefixlen = unix.TCP_MD5SIG_EXT, unix.TCP_MD5SIG_FLAG_PREFIX, uint8(p.Bits())
	}
	if a := p.Addr(); a.Is4() {
		t.Addr.Family = unix.AF_INET
		b := a.As4()
		copy(t.Addr.Data[2:], b[:])
	} else {
		t.Addr.Family = unix.AF_INET6
		b := a.As16()
		copy(t.Addr.Data[6:], b[:])
	}
	err := setsockopt(c, func(fd int) error { return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, opt, &t) })
	switch {
	case err == unix.ENOENT && key == "":
		return nil // there was none
	case err == unix.ENOMEM:
		return fmt.Errorf("password for %s: the kernel has no room for more keys on a socket: raise the sysctl net.core.optmem_max", p)
	case err != nil:
		return fmt.Errorf("password for %s: TCP MD5: %w", p, err)
	}
	return nil
}

// precedence is what routing protocols mark their packets with: class selector 6.
const precedence = 0xc0

// setTTL sets what leaves, and what is taken (RFC 5082); 0 leaves the kernel's.
func setTTL(fd int, is4 bool, ttl, min int) error {
	level, hops, least, tos := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_MINTTL, unix.IP_TOS
	if !is4 {
		level, hops, least, tos = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_MINHOPCOUNT, unix.IPV6_TCLASS
	}
	if err := unix.SetsockoptInt(fd, level, tos, precedence); err != nil {
		return fmt.Errorf("type of service: %w", err)
	}
	if ttl > 0 {
		if err := unix.SetsockoptInt(fd, level, hops, ttl); err != nil {
			return fmt.Errorf("TTL %d: %w", ttl, err)
		}
	}
	if err := unix.SetsockoptInt(fd, level, least, min); err != nil {
		return fmt.Errorf("least TTL %d: %w", min, err)
	}
	return nil
}

// ttls are the TTL that a neighbour is sent and the least that is taken from it.
func ttls(n *Neighbour, external bool) (ttl, least int) {
	switch {
	case n.SecurityHops > 0:
		return 255, 255 - int(n.SecurityHops) + 1
	case !external:
		return 255, 0
	case n.MultihopTTL > 0:
		return int(n.MultihopTTL), 0
	}
	return 1, 0
}
