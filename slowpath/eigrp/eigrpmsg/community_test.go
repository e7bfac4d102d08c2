package eigrpmsg

import (
	"encoding/binary"
	"slices"
	"testing"
)

// community is one as IOS prints it: type and subtype, upper and lower number.
func community(typ uint64, high, low uint64) uint64 { return typ<<48 | high<<32 | low }

// What IOS says of routes in `show ip bgp vpnv4`.
var published = []struct {
	cs   []uint64
	want Community
	rib  uint64 // the metric that the route had
}{
	{
		[]uint64{
			community(0x8800, 32768, 0), community(0x8801, 1, 133120), community(0x8802, 65282, 25600), community(0x8803, 65281, 1500), community(0x8806, 0, 134744072),
		},
		Community{AS: 1, Internal: true, Router: ip("8.8.8.8"), Metric: Metric{Delay: 133120, Bandwidth: 25600, Reliability: 255, Hops: 2, Load: 1, MTU: 1500}}, 158720,
	},
	{
		[]uint64{
			community(0x8800, 0, 0), community(0x8801, 100, 0), community(0x8802, 65280, 25600), community(0x8803, 65281, 1500), community(0x8804, 1936, 184188929),
			community(0x8805, 9, 0), community(0x8806, 0, 184188929),
		},
		Community{
			AS: 100, Router: ip("10.250.128.1"), Metric: Metric{Bandwidth: 25600, Reliability: 255, Load: 1, MTU: 1500},
			External: External{Router: ip("10.250.128.1"), AS: 1936, Protocol: FromBGP},
		}, 25600,
	},
	{
		[]uint64{community(0x8800, 32768, 0), community(0x8801, 12, 130560), community(0x8802, 65281, 25600), community(0x8803, 65281, 1500)},
		Community{AS: 12, Internal: true, Metric: Metric{Delay: 130560, Bandwidth: 25600, Reliability: 255, Hops: 1, Load: 1, MTU: 1500}}, 156160,
	},
}

func TestPublishedCommunities(t *testing.T) {
	for _, c := range published {
		got, ok := ReadCommunities(append([]uint64{0x0002_0001_0000_0001, 0x4301_8080_0002_6c00}, c.cs...))
		if !ok || got != c.want || got.Metric.Delay+got.Metric.Bandwidth != c.rib {
			t.Errorf("%x is read as\n%+v, want\n%+v", c.cs, got, c.want)
		}
		if back := c.want.Append(nil); !slices.Equal(back, c.cs) {
			t.Errorf("%+v is written as\n%x, want\n%x", c.want, back, c.cs)
		}
		// Without any one of those that are needed it is no route.
		for i := range c.cs {
			less := slices.Delete(slices.Clone(c.cs), i, i+1)
			if _, ok := ReadCommunities(less); ok != (c.cs[i]>>48 == 0x8806) {
				t.Errorf("without %x: %v", c.cs[i], ok)
			}
		}
	}
	far := slices.Clone(published[0].cs)
	far[1] |= 0xffffffff
	if _, ok := ReadCommunities(far); ok {
		t.Error("what cannot be reached is a route")
	}
}

func FuzzCommunities(f *testing.F) {
	for _, c := range published {
		var b []byte
		for _, v := range c.cs {
			b = binary.BigEndian.AppendUint64(b, v)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var cs []uint64
		for ; len(b) >= 8; b = b[8:] {
			cs = append(cs, binary.BigEndian.Uint64(b))
		}
		c, ok := ReadCommunities(cs)
		if !ok {
			if c != (Community{}) {
				t.Fatalf("something is left: %+v", c)
			}
			return
		}
		if again, ok := ReadCommunities(c.Append(nil)); !ok || again != c {
			t.Fatalf("%+v is not %+v", again, c)
		}
	})
}
