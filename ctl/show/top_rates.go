package show

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/nhrp"
)

// Rates is what a box does a second, between two looks at it.
type Rates struct {
	Time     time.Time     `json:"time"`
	Interval time.Duration `json:"interval_nanoseconds"`
	Hostname string        `json:"hostname"`
	Version  string        `json:"version"`
	Uptime   time.Duration `json:"uptime_nanoseconds"`
	Profile  string        `json:"hardware_profile,omitempty"`
	Workers  []WorkerRate  `json:"workers"`
	Ports    []LinkRate    `json:"ports"`
	Tunnels  []LinkRate    `json:"tunnels"`
	Peers    []PeerRate    `json:"peers"`
	// Sessions are the protected peers by state, IKESAs those established.
	Sessions map[string]int `json:"sessions"`
	IKESAs   int            `json:"ike_sas"`
	SAs      int            `json:"associations"`
	Drops    []DropRate     `json:"drops"` // with a number now, or ever
}

// WorkerRate is one worker.
type WorkerRate struct {
	Worker        int     `json:"worker"`
	Busy          float64 `json:"busy"` // share of polls that found packets, 0 to 1
	Polls         float64 `json:"polls_per_second"`
	Packets       float64 `json:"packets_per_second"`
	Forwarded     float64 `json:"forwarded_per_second"`
	PacketsAPoll  float64 `json:"packets_per_busy_poll"`
	Cycles        float64 `json:"cycles_per_packet"` // in nave's own code
	LinkCycles    float64 `json:"link_cycles_per_packet"`
	CyclesASecond float64 `json:"cycles_per_second"` // both
	PID           int     `json:"pid,omitempty"`
	Restarts      int     `json:"restarts"`
}

// LinkRate is a port or a tunnel.
type LinkRate struct {
	Name      string  `json:"name"`
	Up        bool    `json:"up"`
	Rx        float64 `json:"receive_packets_per_second"`
	RxBits    float64 `json:"receive_bits_per_second"`
	Tx        float64 `json:"transmit_packets_per_second"`
	TxBits    float64 `json:"transmit_bits_per_second"`
	Lost      float64 `json:"lost_per_second"`    // of a port: by the kernel, for want of room
	Peers     int     `json:"peers,omitempty"`    // of a tunnel
	PeersUp   int     `json:"peers_up,omitempty"` // of those
	Protected bool    `json:"protected,omitempty"`
}

// PeerRate is a peer of a tunnel.
type PeerRate struct {
	Tunnel  string  `json:"tunnel"`
	Address string  `json:"address"` // in the tunnel
	NBMA    string  `json:"nbma"`
	State   string  `json:"state"`
	Tx      float64 `json:"transmit_packets_per_second"`
	TxBits  float64 `json:"transmit_bits_per_second"`
}

// DropRate is a reason that packets are dropped for.
type DropRate struct {
	Reason string  `json:"reason"`
	Rate   float64 `json:"packets_per_second"`
	Total  uint64  `json:"total"`
	Text   string  `json:"text"`
}

// NewRates compares two looks at a box. Where a number has begun anew in between, as after a restart, what it is now counts. Without time between
// them every rate is 0.
func NewRates(before, now *Status) Rates {
	r := Rates{
		Time: now.Time, Interval: max(0, now.Time.Sub(before.Time)), Hostname: now.Hostname, Version: now.Version, Uptime: now.Time.Sub(now.Started),
		Sessions: make(map[string]int), SAs: now.Router.Sessions.SAs,
		Workers: []WorkerRate{}, Ports: []LinkRate{}, Tunnels: []LinkRate{}, Peers: []PeerRate{}, Drops: []DropRate{}, // in JSON a list is never null
	}
	if now.Hardware != nil {
		r.Profile = now.Hardware.Profile.Name
	}
	r.workers(before, now)
	r.ports(before, now)
	r.tunnels(before, now)
	r.peers(before, now)
	for _, s := range now.Router.Sessions.Sessions {
		r.Sessions[s.State.String()]++
	}
	for _, s := range now.Router.IKE.SAs {
		if s.Established {
			r.IKESAs++
		}
	}
	for k, n := range now.Fastpath.Reasons {
		reason := fastpath.Reason(k)
		if c := reason.Class(); n > 0 && (c == fastpath.ClassDrop || c == fastpath.ClassLink) {
			r.Drops = append(r.Drops, DropRate{reason.String(), r.per(before.Fastpath.Reasons[k], n), n, reason.Text()})
		}
	}
	slices.SortStableFunc(r.Drops, func(a, b DropRate) int { return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Total, a.Total)) })
	return r
}

// per is how fast a number grows a second.
func (r *Rates) per(before, now uint64) float64 {
	if r.Interval <= 0 {
		return 0
	}
	return float64(grown(before, now)) / r.Interval.Seconds()
}

// grown is by how much a number has grown, or what it is if it began anew.
func grown(before, now uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

func (r *Rates) workers(before, now *Status) {
	for k, w := range now.Fastpath.Workers {
		var old fastpath.WorkerCount
		if k < len(before.Fastpath.Workers) {
			old = before.Fastpath.Workers[k]
		}
		polls, empty := grown(old.Polls, w.Polls), grown(old.EmptyPolls, w.EmptyPolls)
		packets, busy := grown(old.Packets, w.Packets), polls-min(empty, polls)
		ticks, links := grown(old.Ticks, w.Ticks), grown(old.LinkTicks, w.LinkTicks)
		x := WorkerRate{
			Worker: k, Busy: ratio(busy, polls), Polls: r.per(old.Polls, w.Polls), Packets: r.per(old.Packets, w.Packets), Forwarded: r.per(old.Forwarded, w.Forwarded),
			PacketsAPoll: ratio(packets, busy), Cycles: ratio(ticks, packets), LinkCycles: ratio(links, packets),
			CyclesASecond: r.per(old.Ticks, w.Ticks) + r.per(old.LinkTicks, w.LinkTicks),
		}
		for _, p := range now.Workers {
			if p.Worker == k {
				x.PID, x.Restarts = p.PID, p.Restarts
			}
		}
		r.Workers = append(r.Workers, x)
	}
}

func (r *Rates) link(name string, up bool, before, now fastpath.LinkCount) LinkRate {
	return LinkRate{
		Name: name, Up: up, Rx: r.per(before.Rx.Packets, now.Rx.Packets), RxBits: 8 * r.per(before.Rx.Bytes, now.Rx.Bytes),
		Tx: r.per(before.Tx.Packets, now.Tx.Packets), TxBits: 8 * r.per(before.Tx.Bytes, now.Tx.Bytes),
	}
}

func (r *Rates) ports(before, now *Status) {
	lost := func(s *Status, name string) (n uint64) {
		for k := range s.Ports {
			if s.Ports[k].Name != name {
				continue
			}
			for _, q := range s.Ports[k].Queues {
				n += q.Stats.Dropped + q.Stats.RingFull
			}
		}
		return n
	}
	for _, p := range now.Ports {
		x := r.link(p.Name, p.Up, before.Fastpath.Ports[p.ID], now.Fastpath.Ports[p.ID])
		x.Lost = r.per(lost(before, p.Name), lost(now, p.Name))
		r.Ports = append(r.Ports, x)
	}
}

func (r *Rates) tunnels(before, now *Status) {
	for _, i := range now.Router.Interfaces {
		if i.Tunnel == nil {
			continue
		}
		x := r.link(i.Name, i.Up, before.Fastpath.Tunnels[i.Tunnel.ID], now.Fastpath.Tunnels[i.Tunnel.ID])
		x.Protected = i.Tunnel.Protected
		for k := range now.Router.NHRP.Interfaces {
			n := &now.Router.NHRP.Interfaces[k]
			if n.Name != i.Name {
				continue
			}
			for _, p := range n.Peers {
				if p.Local || p.Incomplete {
					continue
				}
				x.Peers++
				if p.Stage == nhrp.StageUp {
					x.PeersUp++
				}
			}
		}
		r.Tunnels = append(r.Tunnels, x)
	}
}

// peers are those that NHRP knows, the busiest first.
func (r *Rates) peers(before, now *Status) {
	type sent struct{ packets, bits float64 }
	rates := make(map[string]sent)
	old := make(map[fib.AdjID]bool, len(before.Peers))
	for _, u := range before.Peers {
		old[u.Adjacency] = true
	}
	for _, u := range now.Peers {
		was := fastpath.Count{}
		if old[u.Adjacency] {
			was = before.Fastpath.Adjacencies[u.Adjacency]
		}
		n, k := now.Fastpath.Adjacencies[u.Adjacency], u.Iface+" "+u.NBMA.String()
		x := rates[k]
		x.packets += r.per(was.Packets, n.Packets)
		x.bits += 8 * r.per(was.Bytes, n.Bytes)
		rates[k] = x
	}
	for k := range now.Router.NHRP.Interfaces {
		i := &now.Router.NHRP.Interfaces[k]
		for _, p := range i.Peers {
			if p.Local || p.Incomplete {
				continue
			}
			at := nbmaOf(&p)
			x := rates[i.Name+" "+at]
			r.Peers = append(r.Peers, PeerRate{i.Name, p.Tunnel.String(), at, p.Stage.String(), x.packets, x.bits})
		}
	}
	slices.SortStableFunc(r.Peers, func(a, b PeerRate) int {
		return cmp.Or(cmp.Compare(b.Tx, a.Tx), strings.Compare(a.Tunnel, b.Tunnel), strings.Compare(a.Address, b.Address))
	})
}

// upStates are the states of sessions in the order in which they are told.
var upStates = []dmvpn.State{dmvpn.Up, dmvpn.Securing, dmvpn.Negotiating, dmvpn.Closed}
