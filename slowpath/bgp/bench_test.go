package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"
	"golang.org/x/sys/unix"

	"nave/testbed/ports"
)

// BenchmarkReflect moves 100 000 VPNv4 prefixes from a spoke through a reflector to another spoke, all in this process: with links
// and labels of the reflector's own, with links and labels unchanged, and by GoBGP alone.
func BenchmarkReflect(b *testing.B) {
	count := 100_000
	if testing.Short() {
		count = 5_000
	}
	b.Run("swapped", func(b *testing.B) { benchNave(b, count, true) })
	b.Run("unchanged", func(b *testing.B) { benchNave(b, count, false) })
	b.Run("GoBGP alone", func(b *testing.B) { benchGoBGP(b, count) })
}

func benchPrefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// cpu is the time that this process has worked.
func cpu() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// measure reports what moving the prefixes takes.
func measure(b *testing.B, count int, move func()) {
	before, busy, began := heap(), cpu(), time.Now()
	move()
	took, worked := time.Since(began), cpu()-busy
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(worked.Seconds(), "cpu-s")
	b.ReportMetric(float64(count)/worked.Seconds(), "prefixes/cpu-s")
	b.ReportMetric(heap()-before, "MB")
	b.ReportMetric(0, "ns/op")
}

func benchNave(b *testing.B, count int, swap bool) {
	for b.Loop() {
		port := ports.TCP(b)
		h, x, y := newBox(b, 1), newBox(b, 2), newBox(b, 3)
		var got atomic.Int64
		y.s.env.Deliver = func(e Effects) { got.Add(int64(len(e.Routes))) }
		ch, cx, cy := h.vpn(port, x, y), x.vpn(port, h), y.vpn(port, h)
		for i := range ch.Neighbours {
			ch.Neighbours[i].Client = true
			ch.Neighbours[i].Families[0].NextHopSelf = swap
		}
		h.labels.next, cx.VRFs, cy.VRFs = 100_000, twoVRFs(), twoVRFs()
		h.configure(ch)
		x.configure(cx)
		y.configure(cy)
		established(b, h, x, y)
		ls := make([]Local, count)
		for i := range ls {
			ls[i] = Local{VRF: "red", Prefix: benchPrefix(i), Label: uint32(100 + i)}
		}
		measure(b, count, func() {
			x.announce(ls...)
			for int(got.Load()) < count {
				time.Sleep(time.Millisecond)
			}
		})
		for _, p := range []*box{x, y} {
			if up, down := h.ups(p.addr); up != 1 || down != 0 {
				h.mu.Lock()
				b.Errorf("the session with %s came up %d times, went down %d times: %+v", p.addr, up, down, h.sessions)
				h.mu.Unlock()
			}
		}
		h.s.Close()
		x.s.Close()
		y.s.Close()
	}
}

func benchGoBGP(b *testing.B, count int) {
	for b.Loop() {
		ctx := b.Context()
		var servers []*server.BgpServer
		port := ports.TCP(b)
		at := func(n int) string { return fmt.Sprintf("127.0.%d.1", n) }
		peer := func(s *server.BgpServer, me, n int, client, passive bool) {
			err := s.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{
				Conf:           &api.PeerConf{NeighborAddress: at(n), PeerAsn: 65000},
				Transport:      &api.Transport{LocalAddress: at(me), RemotePort: uint32(port), PassiveMode: passive},
				RouteReflector: &api.RouteReflector{RouteReflectorClient: client, RouteReflectorClusterId: "10.0.0.1"},
				AfiSafis:       []*api.AfiSafi{{Config: &api.AfiSafiConfig{Family: apiFamily(VPNv4), Enabled: true}}},
			}})
			if err != nil {
				b.Fatal(err)
			}
		}
		var got atomic.Int64
		for n := 1; n <= 3; n++ {
			s := server.NewBgpServer()
			go s.Serve()
			err := s.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{Asn: 65000, RouterId: fmt.Sprintf("10.0.0.%d", n), ListenPort: int32(port), ListenAddresses: []string{at(n)}}})
			if err != nil {
				b.Fatal(err)
			}
			servers = append(servers, s)
		}
		peer(servers[0], 1, 2, true, true)
		peer(servers[0], 1, 3, true, true)
		peer(servers[1], 2, 1, false, false)
		peer(servers[2], 3, 1, false, false)
		watch, cancel := context.WithCancel(ctx)
		err := servers[2].WatchEvent(watch, server.WatchEventMessageCallbacks{OnBestPath: func(p []*apiutil.Path, _ time.Time) { got.Add(int64(len(p))) }}, server.WatchBestPath(false))
		if err != nil {
			b.Fatal(err)
		}
		wait(b, "GoBGP's sessions", func() bool {
			up := 0
			servers[0].ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) {
				if p.State.SessionState == api.PeerState_SESSION_STATE_ESTABLISHED {
					up++
				}
			})
			return up == 2
		})
		measure(b, count, func() {
			for i := range count {
				g, err := goPath(&path{prefix: benchPrefix(i), rd: mustRD("1:1"), labels: []uint32{uint32(100 + i)}, nextHop: netip.MustParseAddr("10.9.9.9"), targets: []RouteTarget{mustRT("1:1")}})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := servers[1].AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{g}}); err != nil {
					b.Fatal(err)
				}
			}
			for int(got.Load()) < count {
				time.Sleep(time.Millisecond)
			}
		})
		cancel()
		for _, s := range servers {
			s.Stop()
		}
	}
}
