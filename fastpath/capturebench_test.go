package fastpath

import (
	"fmt"
	"testing"

	"nave/fastpath/packet"
)

// BenchmarkCapture is what a capture costs: one that is off; one whose filter takes nothing; one that copies every packet at both ends of its way.
func BenchmarkCapture(b *testing.B) {
	for _, c := range []struct {
		name string
		ask  CaptureRequest
	}{
		{"off", CaptureRequest{}},
		{"filtered", CaptureRequest{Points: captureAll, Filter: []CaptureStep{{Field: CaptureProto, Value: 1, Yes: CaptureAccept, No: CaptureReject}}}},
		{"all", CaptureRequest{Points: captureAll}},
		{"drops", CaptureRequest{Points: CaptureDrop}},
	} {
		for _, size := range []int{64, 1400} {
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) {
				r := newRig(b)
				var k *Capture
				if c.ask.Points != 0 {
					c.ask.Until = 1 << 62
					var err error
					if k, err = r.e.Capture(c.ask); err != nil {
						b.Fatal(err)
					}
					defer k.Close()
				}
				r.w.Detach(wan)
				r.w.Detach(lan)
				in := newReplay(r.w.pool, flows(benchBurst, func(i int) []byte { return fromSpoke1(ipv4(behind1, hostIP, pattern(size-packet.IPv4Len))) }), 64)
				if err := r.w.Attach(wan, in); err != nil {
					b.Fatal(err)
				}
				if err := r.w.Attach(lan, newReplay(r.w.pool, nil, 0)); err != nil {
					b.Fatal(err)
				}
				in.free = r.w.pool.Free()
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					in.on = true
					r.w.Poll(1)
					if k != nil && n%4 == 0 {
						b.StopTimer()
						k.Drain(func(*Captured) bool { return true })
						b.StartTimer()
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchBurst), "ns/packet")
				r.frames = r.w.pool.Free()
			})
		}
	}
}
