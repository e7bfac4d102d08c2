package hwprofiles

import (
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath/fib"
)

// ErrCryptoFull is of associations with a new peer where the crypto module has all the tunnels that it takes.
var ErrCryptoFull = errors.New("the crypto module is full")

// peer is what a tunnel of the crypto module leads to. Associations that follow others there are of the same tunnel.
type peer struct {
	vrf           fib.VRF
	local, remote netip.Addr
	port          uint16 // of the peer, behind NAT
	protection    fib.ProtectionID
}

// peers are the tunnels of the crypto module.
type peers struct {
	name    string // of the profile
	size    Number
	count   map[peer]int // associations
	of      map[fib.SAID]peer
	refused int
}

func newPeers(p *Profile) peers {
	return peers{name: p.Name, size: p.Crypto.Tunnels, count: map[peer]int{}, of: map[fib.SAID]peer{}}
}

// add finds room for an association. One that is installed keeps its own, and so does one with a peer that has others.
func (s *peers) add(f *fib.SA, installed bool) error {
	k := peer{vrf: f.OuterVRF, local: f.Local, remote: f.Remote, port: f.RemotePort, protection: f.Protection}
	if old, ok := s.of[f.ID]; ok && old == k {
		return nil
	}
	if n := len(s.count); !installed && s.count[k] == 0 && s.size.Over(n+1) {
		s.refused++
		return fmt.Errorf("hardware profile %s: %w: it takes %d tunnels (crypto.tunnels) and has %d, so there is none to %s; "+
			"spread the peers over several hubs, or choose a larger module", s.name, ErrCryptoFull, s.size.Int(), n, f.Remote)
	}
	s.gone(f.ID)
	s.of[f.ID] = k
	s.count[k]++
	return nil
}

func (s *peers) gone(id fib.SAID) {
	k, ok := s.of[id]
	if !ok {
		return
	}
	delete(s.of, id)
	if s.count[k]--; s.count[k] == 0 {
		delete(s.count, k)
	}
}
