package bgp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// place is what is listened on: an address of a VRF.
type place struct {
	vrf  string
	addr netip.Addr
}

// door is a listening socket.
type door struct {
	place
	l     *net.TCPListener
	keys  map[netip.Prefix]Secret
	least int // TTL that is taken
}

// listen opens a door in the VRF's namespace. It has its passwords and the least TTL before the first connection: one without a signature, or from afar, must not come before them.
func (s *Speaker) listen(p place, port uint16, keys map[netip.Prefix]Secret, least int) (*door, error) {
	d := &door{place: p, keys: make(map[netip.Prefix]Secret), least: least}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		_ = d.sign(c, keys) // what is refused is said when it is tried again
		return setsockopt(c, func(fd int) error {
			if !p.addr.Is4() {
				if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
					return err
				}
			}
			// Answers to whoever has TTL security must have gone no hop; the accepted socket gets the neighbour's own.
			return setTTL(fd, p.addr.Is4(), 255, least)
		})
	}}
	lc.SetMultipathTCP(false) // has no MD5 signatures
	network := "tcp6"
	if p.addr.Is4() {
		network = "tcp4"
	}
	err := s.within(p.vrf, func() error {
		l, err := lc.Listen(context.Background(), network, netip.AddrPortFrom(p.addr, port).String())
		if err == nil {
			d.l = l.(*net.TCPListener)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bgp: listen on %s%s port %d: %w", p.addr, inVRF(p.vrf), port, err)
	}
	go s.accept(d)
	return d, nil
}

func inVRF(name string) string {
	if name == "" {
		return ""
	}
	return " in VRF " + name
}

// within runs f in a VRF's namespace.
func (s *Speaker) within(vrf string, f func() error) error {
	if vrf == "" {
		return f()
	}
	if s.env.Within == nil {
		return fmt.Errorf("VRF %s: neighbours inside VRFs need network namespaces", vrf)
	}
	return s.env.Within(vrf, f)
}

// setKeys makes the door's passwords those of want. more: one is new, or another.
func (d *door) setKeys(want map[netip.Prefix]Secret) (more bool, err error) {
	raw, err := d.l.SyscallConn()
	if err != nil {
		return false, err
	}
	before := maps.Clone(d.keys)
	err = d.sign(raw, want)
	for p, key := range d.keys {
		more = more || before[p] != key
	}
	return more, err
}

// setLeast makes the least TTL that is taken from anybody another.
func (d *door) setLeast(least int) error {
	if d.least == least {
		return nil
	}
	raw, err := d.l.SyscallConn()
	if err == nil {
		err = setsockopt(raw, func(fd int) error { return setTTL(fd, d.addr.Is4(), 255, least) })
	}
	if err == nil {
		d.least = least
	}
	return err
}

// leastTTL is what all neighbours of a table have at least. What comes with less is nobody's, and must not even connect: the accepted socket gets the neighbour's own rule when the
// link takes it, and has heard by then what came with the connection.
func (s *Speaker) leastTTL(in *instance) int {
	least := 255
	take := func(c *linkConfig) {
		_, n := ttls(&c.Neighbour, c.external)
		least = min(least, n)
	}
	for _, l := range in.links {
		take(l.config())
	}
	if in.vrf == "" {
		for _, r := range s.cfg.Ranges {
			take(s.linkConfig(r.Template))
		}
	}
	return least
}

// sign is setKeys of a socket that need not listen yet.
func (d *door) sign(raw syscall.RawConn, want map[netip.Prefix]Secret) error {
	var errs []error
	for p := range d.keys {
		if _, ok := want[p]; !ok {
			errs = append(errs, signWith(raw, p, ""))
			delete(d.keys, p)
		}
	}
	for p, key := range want {
		if p.Addr().Is4() != d.addr.Is4() || d.keys[p] == key {
			continue
		}
		if err := signWith(raw, p, key); err != nil {
			errs = append(errs, err)
			continue
		}
		d.keys[p] = key
	}
	return errors.Join(errs...)
}

// signs tells whether connections from an address are taken with a password's signature alone.
func (d *door) signs(from netip.Addr, password Secret) bool {
	for p, key := range d.keys {
		if p.Contains(from) && key == password {
			return true
		}
	}
	return false
}

// accept takes connections until the door is closed.
func (s *Speaker) accept(d *door) {
	for {
		c, err := d.l.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, for example: connections wait in the kernel
			s.log.Warn("bgp: accept", "vrf", d.vrf, "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if !s.arrived(d, c) {
			c.Close()
		}
	}
}

// arrived hands a connection to the link of the neighbour that made it.
func (s *Speaker) arrived(d *door, c *net.TCPConn) bool {
	vrf := d.vrf
	from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.instances[vrf]
	if in == nil || s.closed || s.doors[d.place] != d { // it came by a door that is closed
		return false
	}
	l := in.links[from]
	if l == nil && vrf == "" {
		l = s.invite(in, from)
	}
	if l == nil {
		s.stranger++
		s.log.Debug("bgp: connection of no neighbour", "vrf", vrf, "from", from)
		return false
	}
	if key := l.config().Password; key != "" && !d.signs(from, key) {
		s.log.Warn("bgp: a connection without the signature that the neighbour's password asks for: the kernel has not taken the password", "vrf", vrf, "neighbour", from)
		return false
	}
	return l.offer(c)
}

// openDoors makes the doors those that the neighbours need, and sets their passwords.
func (s *Speaker) openDoors() error {
	want := make(map[place]map[netip.Prefix]Secret)
	least := make(map[string]int)
	for vrf, in := range s.instances {
		least[vrf] = s.leastTTL(in)
		keys := make(map[netip.Prefix]Secret)
		var v4, v6 bool
		for addr, l := range in.links {
			v4, v6 = v4 || addr.Is4(), v6 || !addr.Is4()
			if n := &l.config().Neighbour; n.Password != "" {
				keys[netip.PrefixFrom(addr, addr.BitLen())] = n.Password
			}
		}
		if vrf == "" {
			for _, r := range s.cfg.Ranges {
				v4, v6 = v4 || r.Prefix.Addr().Is4(), v6 || !r.Prefix.Addr().Is4()
				if r.Template.Password != "" {
					keys[r.Prefix.Masked()] = r.Template.Password
				}
			}
		}
		addrs := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
		if vrf == "" && len(s.cfg.Listen) > 0 {
			addrs = s.cfg.Listen
		} else if v := s.vrfs[vrf]; v != nil && len(v.Listen) > 0 {
			addrs = v.Listen
		}
		for _, a := range addrs {
			if a.Is4() && v4 || !a.Is4() && v6 {
				want[place{vrf, a}] = keys
			}
		}
	}
	for p, d := range s.doors {
		if want[p] == nil {
			d.l.Close()
			delete(s.doors, p)
		}
	}
	var errs []error
	for p, keys := range want {
		errs = append(errs, s.openDoor(p, keys, least[p.vrf]))
	}
	return errors.Join(errs...)
}

// openDoor makes a door as it is to be. One that asks for more than before is opened anew: who came in by what was asked then and waits yet has shown nothing of what is asked now,
// and there is no way to ask the kernel. It has to come again.
func (s *Speaker) openDoor(p place, keys map[netip.Prefix]Secret, least int) error {
	d := s.doors[p]
	var wrong error
	if d != nil {
		more, err := d.setKeys(keys)
		if wrong = err; more || least > d.least {
			d.l.Close()
			delete(s.doors, p)
			d = nil
		}
	}
	if d == nil {
		var err error
		if d, err = s.listen(p, s.cfg.port(), keys, least); err != nil {
			return err
		}
		s.doors[p] = d
		_, wrong = d.setKeys(keys) // of what was refused
	}
	if err := errors.Join(wrong, d.setLeast(least)); err != nil {
		return fmt.Errorf("bgp%s: %w", inVRF(p.vrf), err)
	}
	return nil
}
