package host

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// precedence is the type of service of routing protocols: class selector 6.
const precedence = 0xc0

// forGroup makes a socket one of a routing protocol that speaks to a group: it knows the netdev of each packet, does not hear itself, and hears of multicast what it has joined alone.
func forGroup(fd, ttl int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, ttl),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, precedence))
}

// membership is a socket's part in a multicast group, by netdev.
type membership struct {
	group netip.Addr
	raw   syscall.RawConn

	mu     sync.Mutex
	joined map[int]bool // by the index of the netdev
}

// join makes these netdevs, by index, the ones whose packets to the group are heard. One that went away has left by itself.
func (m *membership) join(links []int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var failed error
	for _, link := range slices.Sorted(maps.Keys(m.joined)) {
		if !slices.Contains(links, link) {
			delete(m.joined, link)
			if err := m.set(unix.IP_DROP_MEMBERSHIP, link); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENODEV) {
				failed = errors.Join(failed, fmt.Errorf("host: leave %s on netdev %d: %w", m.group, link, err))
			}
		}
	}
	for _, link := range links {
		// Each time: a netdev that was made anew may have the number of one that is gone.
		if err := m.set(unix.IP_ADD_MEMBERSHIP, link); err != nil && !errors.Is(err, unix.EADDRINUSE) {
			delete(m.joined, link)
			failed = errors.Join(failed, fmt.Errorf("host: join %s on netdev %d: %w", m.group, link, err))
			if errors.Is(err, unix.ENOBUFS) {
				failed = errors.Join(failed, errors.New("raise the sysctl net.ipv4.igmp_max_memberships of the network namespace, and reload"))
			}
			continue
		}
		if m.joined == nil {
			m.joined = make(map[int]bool)
		}
		m.joined[link] = true
	}
	return failed
}

func (m *membership) set(what, link int) error {
	return control(m.raw, func(fd int) error {
		return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, what, &unix.IPMreqn{Multiaddr: m.group.As4(), Ifindex: int32(link)})
	})
}
