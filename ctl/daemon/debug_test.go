package daemon

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/ctl/debug"
	"nave/slowpath"
	"nave/slowpath/nhrp"
	"nave/slowpath/trace"
)

// spoken collects what is said.
type spoken struct {
	mu   sync.Mutex
	list []string
}

func (l *spoken) say(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

func (l *spoken) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// inTime waits until something holds.
func inTime(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 30 seconds: %s", what)
		}
	}
}

func cacheAdd(i int) slowpath.Traced {
	a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
	return slowpath.Traced{Topics: trace.NHRPCache, Ifaces: []string{"Tunnel0"}, Event: nhrp.Trace{Kind: nhrp.TraceCacheAdd, Iface: "Tunnel0", Prefix: netip.PrefixFrom(a, 32), NextHop: a}}
}

// A flood costs the control plane nothing but counting: what finds the queue full is left out, and so is what comes faster than it can be written; and that is said with the next
// line. What is neither told nor counted there is not.
func TestDebugFlood(t *testing.T) {
	var b debugger
	b.queue = make(chan slowpath.Traced, debugQueue)
	const flood = debugQueue + 500
	for i := range flood { // nobody writes yet, and nothing waits
		b.take(cacheAdd(i))
	}
	if s := b.state(); s.LeftOut != flood-debugQueue {
		t.Fatalf("%d left out of %d", s.LeftOut, flood-debugQueue)
	}
	var out spoken
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.write(ctx, out.say) })
	inTime(t, "all that waited is written or left out", func() bool { s := b.state(); return s.Told+s.LeftOut == flood })
	inTime(t, "there is room for another line", func() bool {
		before := b.state()
		b.take(cacheAdd(9999))
		inTime(t, "it is written or left out", func() bool { s := b.state(); return s.Told+s.LeftOut == before.Told+before.LeftOut+1 })
		return b.state().Told > before.Told
	})
	cancel()
	running.Wait()
	got := out.all()
	if !strings.Contains(got[0], "500 more were left out") || len(got) < debug.LinesBurst {
		t.Errorf("%d lines, the first is %q", len(got), got[0])
	}
	if last := got[len(got)-1]; !strings.HasPrefix(last, "NHRP: Tunnel0: Cache add for target 10.0.39.15/32") {
		t.Errorf("the last line is %q", last)
	}
}

// What waits when debugging is turned off is not written any more.
func TestDebugForgets(t *testing.T) {
	var b debugger
	b.queue = make(chan slowpath.Traced, debugQueue)
	for i := range 10 {
		b.take(cacheAdd(i))
	}
	if b.forget(); len(b.queue) != 0 {
		t.Errorf("%d wait", len(b.queue))
	}
}

// What is taken is a copy: the packet that it came with is somebody else's.
func TestDebugTakesCopies(t *testing.T) {
	var b debugger
	b.queue = make(chan slowpath.Traced, 1)
	payload := []byte{1, 2, 3}
	b.take(slowpath.Traced{Event: nhrp.Send{Payload: payload}})
	payload[0] = 9
	if got := (<-b.queue).Event.(nhrp.Send).Payload; got[0] != 1 {
		t.Errorf("%v", got)
	}
}

func TestDebugStateIsACopy(t *testing.T) {
	var b debugger
	b.set = debug.Set{Flags: []debug.Flag{"nhrp"}}
	s, err := b.state().Apply(debug.Change{Flags: []debug.Flag{"nhrp packet"}})
	if err != nil || len(b.state().Flags) != 1 || len(s.Flags) != 2 {
		t.Errorf("%+v, %+v, %v", b.state(), s, err)
	}
}
