package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"nave/ctl/show"
	"nave/fastpath/fib"
)

// ErrNoTable is in the error of Within and Source where there is no such table or interface.
var ErrNoTable = errors.New("gateway: no such table")

// Within runs f in the network namespace of a VRF ("": the global table) and waits for it: sockets that f opens send and receive as programs of the box do that were
// started there. Any goroutine may call it.
func (g *Gateway) Within(vrf string, f func() error) error {
	s := g.registry.find(func(s *space) bool { return s.name == vrf })
	if s == nil {
		return fmt.Errorf("%w: there is no VRF %s", ErrNoTable, vrf)
	}
	return s.host.Within(f)
}

// Source is the first address of an interface, which must be in the table of a VRF.
func (g *Gateway) Source(vrf, iface string) (netip.Addr, error) {
	st, ok := g.Status()
	if !ok {
		return netip.Addr{}, errors.New("gateway: it is stopping")
	}
	for _, i := range st.Router.Interfaces {
		if i.Name != iface {
			continue
		}
		of := ""
		if k := slices.IndexFunc(st.VRFs, func(v show.VRF) bool { return i.VRF != fib.Global && v.ID == i.VRF }); k >= 0 {
			of = st.VRFs[k].Name
		}
		switch {
		case of != vrf:
			return netip.Addr{}, fmt.Errorf("%w: %s is in %s, and not in %s", ErrNoTable, iface, tableName(of), tableName(vrf))
		case len(i.Addrs) == 0:
			return netip.Addr{}, fmt.Errorf("%w: %s has no address", ErrNoTable, iface)
		}
		return i.Addrs[0].Addr(), nil
	}
	return netip.Addr{}, fmt.Errorf("%w: there is no interface %s", ErrNoTable, iface)
}

func tableName(vrf string) string {
	if vrf == "" {
		return "the global table"
	}
	return "VRF " + vrf
}
