package gateway

import (
	"cmp"
	"slices"
	"time"

	"nave/ctl/config/grammar"
	"nave/ctl/show"
	"nave/slowpath/host"
)

// arp are the own addresses on links, and the neighbours that the kernels of all VRFs, or of one, know there.
func (g *Gateway) arp(q show.Query) (out []show.Neighbour, err error) {
	var spaces []*space
	named := q.VRF != "" && q.VRF != show.GlobalVRF
	if !g.Do(func(_ time.Time, c *Core) {
		if named {
			if _, err = c.vrfNamed(q.VRF); err != nil {
				return
			}
		}
		for name, s := range g.spaces {
			if q.VRF == "" || name == q.VRF || q.VRF == show.GlobalVRF && name == "" {
				spaces = append(spaces, s)
			}
		}
		out = append(out, c.ownAddresses(q)...)
	}) {
		return nil, errStopped
	}
	if err != nil {
		return nil, err
	}
	for _, s := range spaces {
		list, err := g.neighbours(s)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			if d, ok := s.links.find(n.Link); ok {
				out = append(out, show.Neighbour{VRF: s.name, Iface: d.name, Addr: n.Addr, MAC: n.MAC, OK: n.OK, Kept: n.Kept, Age: n.Age})
			}
		}
	}
	slices.SortFunc(out, func(a, b show.Neighbour) int {
		return cmp.Or(cmp.Compare(a.VRF, b.VRF), grammar.CompareInterfaces(a.Iface, b.Iface), a.Addr.Compare(b.Addr))
	})
	return out, nil
}

// neighbours asks the kernel of a space, in the goroutine that may use its host.
func (g *Gateway) neighbours(s *space) (list []host.Entry, err error) {
	done := make(chan struct{})
	g.linux.do(func() {
		defer close(done)
		if s.ctx.Err() == nil {
			list, err = s.host.Neighbours()
		}
	})
	select {
	case <-done:
		return list, err
	case <-g.ctx.Done():
		return nil, errStopped
	}
}

// ownAddresses are the addresses of ports and subinterfaces that a query is about.
func (c *Core) ownAddresses(q show.Query) (out []show.Neighbour) {
	for k := range c.current.Interfaces {
		i := &c.current.Interfaces[k]
		vrf := ""
		if i.VRF != 0 {
			vrf = c.vrfNameOf(i.VRF)
		}
		if i.Port == 0 || q.VRF == show.GlobalVRF && vrf != "" || q.VRF != "" && q.VRF != show.GlobalVRF && vrf != q.VRF {
			continue
		}
		for _, a := range i.Addrs {
			out = append(out, show.Neighbour{VRF: vrf, Iface: i.Name, Addr: a.Addr(), MAC: i.MAC, OK: true, Own: true})
		}
	}
	return out
}
