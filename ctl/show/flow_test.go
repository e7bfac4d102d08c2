package show

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

func sampleFlows() *FlowCache {
	return &FlowCache{
		Count: fastpath.FlowCount{Live: 8, Capacity: 1600, Added: 21, Evicted: 2, Moved: 5},
		Flows: []fastpath.Flow{
			{Src: addr("192.168.100.123"), Dst: addr("10.7.200.201"), Proto: 6, SrcPort: 443, DstPort: 65535, InPort: 1, OutTunnel: 1, OutPort: 1, Packets: 123456789, Bytes: 1 << 37, Age: time.Hour},
			{Src: addr("10.8.0.1"), Dst: addr("10.7.0.9"), Proto: 17, SrcPort: 1, DstPort: 53, InTunnel: 2, InPort: 1, OutPort: 2, Packets: 123456, Idle: 14 * time.Second, TOS: 0xb8, Worker: 1},
			{VRF: 3, Src: addr("10.8.0.1"), Dst: addr("10.7.0.9"), Proto: 1, InPort: 9, Packets: 99999},
		},
		More: 5,
	}
}

func TestIPCacheFlow(t *testing.T) {
	golden(t, "ip_cache_flow", IPCacheFlow(sample(), sampleFlows()))
	golden(t, "empty_ip_cache_flow", IPCacheFlow(&Status{}, &FlowCache{}))
	b, err := IPCacheFlowJSON(sample(), sampleFlows())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "ip_cache_flow_json", string(b))
	b, err = IPCacheFlowJSON(&Status{}, &FlowCache{})
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		On    bool
		Flows []any
	}
	if err := json.Unmarshal(b, &v); err != nil || v.On || v.Flows == nil {
		t.Errorf("%s: %v", b, err)
	}
}

func TestShortCount(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 99999: "99999", 100000: "100K", 9999999: "9999K", 10000000: "10M", 9999999999: "9999M", 10000000000: "10G", 1 << 43: "8796G",
	} {
		if got := shortCount(n); got != want || len(got) > 5 {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestShortName(t *testing.T) {
	for name, want := range map[string]string{"Tunnel0": "Tu0", "GigabitEthernet0/1": "Gi0/1", "": "Null", "x1": "x1", "lan": "lan", "Ethernet12": "Et12"} {
		if got := shortName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// trickle is a port that receives each of its frames once.
type trickle struct {
	pool   *port.Pool
	frames [][]byte
}

func (p *trickle) Recv(fs []port.Frame) (n int) {
	for ; n < len(fs) && len(p.frames) > 0; n++ {
		c, ok := p.pool.Get()
		if !ok {
			break
		}
		fs[n] = port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(copy(p.pool.Chunk(port.Frame{Chunk: c})[port.Headroom:], p.frames[0]))}
		p.frames = p.frames[1:]
	}
	return n
}

func (p *trickle) Send(fs []port.Frame) int {
	for _, f := range fs {
		p.pool.Put(f.Chunk)
	}
	return len(fs)
}
func (p *trickle) Flush()       {}
func (p *trickle) FD() int      { return -1 }
func (p *trickle) Close() error { return nil }

// What is collected is the busiest flows, in order, whatever order they came in; the rest is counted.
func TestCollectFlows(t *testing.T) {
	e, err := fastpath.New(fastpath.Config{ArenaBytes: 16 << 20, MaxAdjacencies: 64, MaxTunnels: 64, MaxSAs: 64, PuntSlots: 64, InjectSlots: 64, Private: true, FlowCache: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	pool := port.NewPool(make([]byte, 600*2048), 2048)
	w, err := e.NewWorker(pool)
	if err != nil {
		t.Fatal(err)
	}
	eth := make([]byte, packet.EthernetLen)
	packet.PutEthernet(eth, [6]byte{2, 0, 0, 0, 0, 9}, [6]byte{2}, packet.TypeIPv4)
	if refused, err := e.Apply(&fib.Batch{
		Ports:       []fib.Port{{ID: 1, MAC: [6]byte{2}, MTU: 1500, Addr: addr("192.0.2.7")}},
		Adjacencies: []fib.Adjacency{{ID: 16, Kind: fib.AdjLink, Port: 1, Outer: eth, MTU: 1500, LinkMTU: 1500}},
		Routes:      []fib.Route{{Prefix: pfx("0.0.0.0/0"), Paths: []fib.AdjID{16}}},
	}); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	in := &trickle{pool: pool}
	if err := w.Attach(1, in); err != nil {
		t.Fatal(err)
	}
	// Flow k has k%50+1 packets.
	const flows = 300
	src := func(k int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(k >> 8), byte(k)}) }
	for k := range flows {
		frame := make([]byte, packet.EthernetLen+packet.IPv4Len+8)
		packet.PutEthernet(frame, [6]byte{2}, [6]byte{2, 0, 0, 0, 0, 9}, packet.TypeIPv4)
		h := packet.Header{TTL: 64, Proto: packet.ProtoUDP, Src: src(k).As4(), Dst: [4]byte{203, 0, 113, 1}}
		h.Put(frame[packet.EthernetLen:], 8)
		for range k%50 + 1 {
			in.frames = append(in.frames, frame)
		}
	}
	rand.Shuffle(len(in.frames), func(i, j int) { in.frames[i], in.frames[j] = in.frames[j], in.frames[i] })
	for now := int64(1); len(in.frames) > 0; now += 1000 {
		w.Poll(now)
	}
	for _, most := range []int{0, 1, 7, 100, flows, flows + 50} {
		c := CollectFlows(e, most)
		if len(c.Flows) != min(most, flows) || c.More != flows-len(c.Flows) || c.Count.Live != flows {
			t.Fatalf("at most %d: %d and %d more of %d", most, len(c.Flows), c.More, c.Count.Live)
		}
		for i, f := range c.Flows {
			if want := uint64(50 - i/(flows/50)); f.Packets != want {
				t.Errorf("at most %d: flow %d has %d packets, want %d", most, i, f.Packets, want)
			}
		}
	}
	c := CollectFlows(e, 2)
	if c.Flows[0].Src != src(49) || c.Flows[1].Src != src(99) {
		t.Errorf("of flows with as many packets: %v, %v", c.Flows[0].Src, c.Flows[1].Src)
	}
	s := &Status{}
	if text := IPCacheFlow(s, &c); !strings.Contains(text, "\nNull          10.1.0.49       Null          203.0.113.1     11 0000 0000    50\n") {
		t.Errorf("%s", text)
	}
}
