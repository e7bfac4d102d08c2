package show

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// topStatus is a box after n seconds of the same work.
func topStatus(n uint64) *Status {
	hub, far := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7")
	s := &Status{
		Time: now.Add(time.Duration(n) * time.Second), Started: ago(26 * time.Hour), Hostname: "spoke1", Version: "nave 0.1", Interfaces: map[string]Configured{},
		Workers: []Process{{Worker: 0, PID: 7}, {Worker: 1, PID: 8, Restarts: 1}},
		Ports: []Port{
			{Name: "Ethernet0", ID: 1, Up: true, Queues: []Queue{{Stats: afxdp.Stats{Dropped: 2 * n, RingFull: n}}}}, {Name: "Ethernet1", ID: 2},
		},
		Peers: []rib.Use{{Adjacency: 17, Iface: "Tunnel0", NBMA: nbma.Of(hub)}, {Adjacency: 18, Iface: "Tunnel0", NBMA: nbma.Of(hub), NextHop: hub}, {Adjacency: 19, Iface: "Tunnel0", NBMA: nbma.Of(far)}},
	}
	s.Router.Interfaces = []rib.Interface{{Name: "Ethernet0", Port: 1}, {Name: "Tunnel0", Up: true, Tunnel: &rib.Tunnel{ID: 1, Protected: true}}}
	s.Router.NHRP.Interfaces = []nhrp.InterfaceStatus{{Name: "Tunnel0", Peers: []nhrp.PeerStatus{
		{NBMA: hub, Tunnel: netip.MustParseAddr("10.0.0.1"), Stage: nhrp.StageUp}, {NBMA: far, Tunnel: netip.MustParseAddr("10.0.0.2"), Stage: nhrp.StageIKE}, {Local: true, Stage: nhrp.StageUp},
	}}}
	s.Router.Sessions = dmvpn.Status{SAs: 2, Sessions: []dmvpn.SessionStatus{{State: dmvpn.Up}, {State: dmvpn.Negotiating}}}
	s.Router.IKE.SAs = []ike.SAStatus{{Established: true}, {}}
	s.Fastpath = fastpath.Snapshot{
		Workers: []fastpath.WorkerCount{{Polls: 1000 * n, EmptyPolls: 250 * n, Packets: 30000 * n, Forwarded: 29000 * n, Ticks: 6000000 * n, LinkTicks: 1500000 * n}, {Polls: 5 * n, EmptyPolls: 5 * n}},
		Ports:   map[fib.PortID]fastpath.LinkCount{1: {Rx: fastpath.Count{Packets: 1500 * n, Bytes: 125000 * n}, Tx: fastpath.Count{Packets: 7 * n, Bytes: 700 * n}}},
		Tunnels: map[fib.TunnelID]fastpath.LinkCount{1: {Tx: fastpath.Count{Packets: 1000 * n, Bytes: 1000000 * n}}},
		Adjacencies: map[fib.AdjID]fastpath.Count{
			17: {Packets: 10 * n, Bytes: 1000 * n}, 18: {Packets: 5 * n, Bytes: 500 * n}, 19: {Packets: 990 * n, Bytes: 99000 * n},
		},
	}
	s.Fastpath.Reasons[fastpath.NoRoute], s.Fastpath.Reasons[fastpath.TxFull], s.Fastpath.Reasons[fastpath.Local] = 3*n, 100*n, 9*n
	s.Fastpath.Reasons[fastpath.SAReplay] = 50
	return s
}

func TestRates(t *testing.T) {
	r := NewRates(topStatus(100), topStatus(102))
	if len(r.Workers) != 2 || !reflect.DeepEqual(r.Workers[0], WorkerRate{
		Busy: .75, Polls: 1000, Packets: 30000, Forwarded: 29000, PacketsAPoll: 40, Cycles: 200, LinkCycles: 50, CyclesASecond: 7500000, PID: 7,
	}) || r.Workers[1].Busy != 0 || r.Workers[1].Restarts != 1 {
		t.Errorf("%+v", r.Workers)
	}
	if want := (LinkRate{Name: "Ethernet0", Up: true, Rx: 1500, RxBits: 1e6, Tx: 7, TxBits: 5600, Lost: 3}); r.Ports[0] != want {
		t.Errorf("%+v", r.Ports)
	}
	if want := (LinkRate{Name: "Tunnel0", Up: true, Tx: 1000, TxBits: 8e6, Peers: 2, PeersUp: 1, Protected: true}); len(r.Tunnels) != 1 || r.Tunnels[0] != want {
		t.Errorf("%+v", r.Tunnels)
	}
	if len(r.Peers) != 2 || r.Peers[0] != (PeerRate{"Tunnel0", "10.0.0.2", "198.51.100.7", "IKE", 990, 792000}) || r.Peers[1].Tx != 15 {
		t.Errorf("%+v", r.Peers)
	}
	if len(r.Drops) != 3 || r.Drops[0].Reason != "tx-full" || r.Drops[0].Rate != 100 || r.Drops[1].Rate != 3 || r.Drops[2] != (DropRate{"sa-replay", 0, 50, fastpath.SAReplay.Text()}) {
		t.Errorf("%+v", r.Drops)
	}
	if r.Sessions["UP"] != 1 || r.Sessions["IKE"] != 1 || r.IKESAs != 1 || r.SAs != 2 {
		t.Errorf("%+v", r)
	}
}

// Numbers that began anew, two looks at one moment, a clock that went back, and a box with nothing give numbers that can be.
func TestRatesOdd(t *testing.T) {
	restarted := topStatus(2)
	restarted.Time = topStatus(102).Time
	if r := NewRates(topStatus(100), restarted); r.Workers[0].Packets != 30000 || r.Ports[0].Rx != 1500 {
		t.Errorf("after a restart: %+v", r.Workers[0])
	}
	for _, pair := range [][2]*Status{{topStatus(5), topStatus(5)}, {topStatus(9), topStatus(5)}, {{}, topStatus(1)}, {topStatus(1), {}}, {{}, {}}} {
		r := NewRates(pair[0], pair[1])
		b, err := TopJSON(&r)
		if err != nil || !json.Valid(b) {
			t.Errorf("%v\n%s", err, b)
		}
		for _, w := range r.Workers {
			for _, v := range []float64{w.Busy, w.Packets, w.Cycles, w.CyclesASecond} {
				if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
					t.Errorf("%+v", w)
				}
			}
		}
	}
	if r := NewRates(topStatus(5), topStatus(5)); r.Workers[0].Packets != 0 {
		t.Errorf("no time: %+v", r.Workers[0])
	}
	added := topStatus(102)
	added.Peers[2].Adjacency = 20 // made in between
	added.Fastpath.Adjacencies[20] = fastpath.Count{Packets: 4}
	if r := NewRates(topStatus(100), added); r.Peers[1].Tx != 2 {
		t.Errorf("a new peer: %+v", r.Peers)
	}
}

func TestTop(t *testing.T) {
	r := NewRates(topStatus(100), topStatus(102))
	golden(t, "top", strings.Join(Top(&r, TopOptions{}), "\n")+"\n")
	for section := TopAll; section < NumTopSections; section++ {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 10}, {20, 3}, {1, 1}} {
			lines := Top(&r, TopOptions{Section: section, Width: size[0], Height: size[1], ByName: true})
			if len(lines) > size[1] {
				t.Errorf("%v: %d lines", size, len(lines))
			}
			for _, l := range lines {
				if utf8.RuneCountInString(l) > size[0] {
					t.Errorf("%v: %q", size, l)
				}
			}
		}
	}
	many := topStatus(102)
	for k := range 200 {
		many.Router.NHRP.Interfaces[0].Peers = append(many.Router.NHRP.Interfaces[0].Peers, nhrp.PeerStatus{Tunnel: netip.AddrFrom4([4]byte{10, 0, 1, byte(k)})})
	}
	r = NewRates(topStatus(100), many)
	text := strings.Join(Top(&r, TopOptions{Width: 120, Height: 40}), "\n")
	for _, want := range []string{"Worker ", "Port ", "Tunnel ", "Protected sessions: 1 UP, 1 IKE;", "10.0.0.2 ", " more\n", "Dropped/s", "tx-full", "no-route"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if keys := TopKeys(TopOptions{Section: TopPeers}, true, nil); !strings.Contains(keys, "[4 peers]") || !strings.Contains(keys, "paused") {
		t.Error(keys)
	}
}

func TestScaled(t *testing.T) {
	for v, want := range map[float64]string{0: "0", .25: "0.2", 7: "7", 999.4: "999", 999.6: "1.0k", 1200: "1.2k", 9960: "10k", 123456: "123k", 8e6: "8.0M", 9.99e9: "10G", 5e15: "5000T"} {
		if got := scaled(v); got != want {
			t.Errorf("%g: %q, want %q", v, got, want)
		}
	}
}

// A box without anything has lists without anything; what a terminal would follow is left out.
func TestTopPlain(t *testing.T) {
	r := NewRates(&Status{}, &Status{Hostname: "a\x1b[2Jb\nc"})
	b, err := TopJSON(&r)
	if err != nil || strings.Contains(string(b), "null") {
		t.Errorf("%v\n%s", err, b)
	}
	text := strings.Join(Top(&r, TopOptions{}), "") + TopKeys(TopOptions{}, false, errors.New("no\x1b]0;\x07naved"))
	if strings.ContainsAny(text, "\x1b\n\x07\u009b") || !strings.Contains(text, "a [2Jb c") {
		t.Errorf("%q", text)
	}
}
