package metrics

import (
	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
)

// peerFamilies are told only where they are asked for: a series or more of each peer.
var peerFamilies = []*family{
	counter("nave_peer_packets_total", "Packets sent to a peer of a tunnel since its entry was made.", words("tunnel", "peer"), ofPeers(packets)),
	counter("nave_peer_bytes_total", "Bytes of those packets.", words("tunnel", "peer"), ofPeers(octets)),
}

func ofPeers(of func(c fastpath.Count) uint64) func(s *sample, put put) {
	return func(s *sample, put put) {
		for p, n := range s.peers {
			put(float64(of(n)), p.tunnel, p.nbma)
		}
	}
}

// peer is a peer of a tunnel, by its NBMA address.
type peer struct{ tunnel, nbma string }

// sent adds up what is sent to each peer. Several adjacencies lead to one, one of each next hop behind it, and they come and go: the sum of those that there are would
// shrink with one that goes, and whoever takes that for a counter that began anew counts all others again.
type sent struct {
	last map[fib.AdjID]sentBy
	sums map[peer]fastpath.Count
}

type sentBy struct {
	peer  peer
	count fastpath.Count
}

// sum takes what has been sent since the last time; a peer that no adjacency leads to is forgotten.
func (t *sent) sum(s *show.Status) map[peer]fastpath.Count {
	last, sums := make(map[fib.AdjID]sentBy, len(s.Peers)), make(map[peer]fastpath.Count)
	for _, u := range s.Peers {
		p, now := peer{u.Iface, u.NBMA.String()}, s.Fastpath.Adjacencies[u.Adjacency]
		n, known := sums[p]
		if !known {
			n = t.sums[p]
		}
		var was fastpath.Count // of an adjacency that is new, or another's number that is used again
		if b := t.last[u.Adjacency]; b.peer == p && b.count.Packets <= now.Packets && b.count.Bytes <= now.Bytes {
			was = b.count
		}
		n.Packets += now.Packets - was.Packets
		n.Bytes += now.Bytes - was.Bytes
		last[u.Adjacency], sums[p] = sentBy{p, now}, n
	}
	t.last, t.sums = last, sums
	return sums
}
