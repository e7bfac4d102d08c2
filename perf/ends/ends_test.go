package ends

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"nave/fastpath/port"
	"nave/fastpath/port/mem"
	"nave/perf/gen"
	"nave/perf/mix"
	"nave/perf/sink"
	"nave/testbed/need"
	"nave/testbed/netns"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience is how long a test waits for what is under way.
const patience = 30 * time.Second

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// exchange sends n packets and returns what was sent and what came.
func exchange(t *testing.T, s gen.Sender, r sink.Receiver, n uint64, pps float64) (gen.Sent, sink.Report) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	sent, err := s.Send(t.Context(), gen.Load{Count: n, Rate: gen.Rate{PPS: pps}})
	must(t, err)
	var got sink.Report
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got, err = r.Report(); err != nil || got.Packets >= n {
			break
		}
	}
	must(t, err)
	stop()
	must(t, <-done)
	return sent, got
}

// Each driver's sender is understood by each driver's receiver, whoever wrote them.
func TestDrivers(t *testing.T) {
	need.Root(t)
	m, err := mix.Load("imix")
	must(t, err)
	for _, from := range Drivers() {
		for _, to := range Drivers() {
			t.Run(fmt.Sprintf("%s to %s", from, to), func(t *testing.T) {
				a, b := netns.New(t, "a"), netns.New(t, "b")
				must(t, netns.Veth(netns.End{NS: a, Name: "eth0"}, netns.End{NS: b, Name: "eth0"}, 1500))
				if from == XDP && to == Packet { // without a program at the far end, live frames need its NAPI
					if _, err := b.Run("ethtool", "-K", "eth0", "gro", "on"); err != nil {
						t.Fatal(err)
					}
				}
				rx := Config{Driver: to, Iface: "eth0", Stamps: true, Enter: b.Do}
				tx := Config{Driver: from, Iface: "eth0", CPU: -1, Enter: a.Do}
				_, mac, err := rx.Netdev()
				must(t, err)
				r, err := Receiver(rx)
				must(t, err)
				s, err := Sender(tx, m, mac)
				must(t, err)
				sent, got := exchange(t, s, r, 1200, 20000)
				must(t, errors.Join(s.Close(), r.Close()))
				if sent.Packets != 1200 || got.Packets != 1200 || got.Bytes != sent.Bytes || got.Stamped != 1200 || got.Lost+got.Reordered+got.Duplicates > 0 {
					t.Errorf("sent %+v, got %+v", sent, got)
				}
			})
		}
	}
}

// A cable in the process loses, doubles and delays as its hook says; the receiver finds all of it.
func TestMemCable(t *testing.T) {
	a, b := newPool(), newPool()
	n := 0
	cable, err := mem.New(a, b, mem.Config{Frames: 256, Hook: func(_ int, _ []byte) (int64, bool) {
		n++
		return 0, n%10 == 5
	}})
	must(t, err)
	m, err := mix.Load("esp")
	must(t, err)
	train, err := m.Train(mix.Link{})
	must(t, err)
	s, err := gen.NewPort(cable.End(0), a, train, nil)
	must(t, err)
	r := sink.NewPort(cable.End(1), b, nil)
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	sent, err := s.Send(ctx, gen.Load{Count: 1000})
	must(t, err)
	var got sink.Report
	for ctx.Err() == nil && got.Packets < 900 {
		got, err = r.Report()
		must(t, err)
	}
	stop()
	must(t, <-done)
	must(t, errors.Join(s.Close(), r.Close()))
	if sent.Packets != 1000 || got.Packets != 900 || got.Stamped != 0 { // sealed: no stamp to be seen
		t.Errorf("sent %+v, got %+v", sent, got)
	}
	if a.Free() != frames || b.Free() != frames {
		t.Errorf("%d and %d of %d frames are back", a.Free(), b.Free(), frames)
	}
}

// full takes no frame.
type full struct{ port.Port }

func (full) Send([]port.Frame) int { return 0 }
func (full) Flush()                {}
func (full) Close() error          { return nil }

// A link that takes nothing ends with the time, and counts nothing as sent.
func TestStuckLink(t *testing.T) {
	pool := newPool()
	train, err := mix.Fixed(64).Train(mix.Link{})
	must(t, err)
	s, err := gen.NewPort(full{}, pool, train, nil)
	must(t, err)
	sent, err := s.Send(t.Context(), gen.Load{Duration: 20 * time.Millisecond})
	must(t, err)
	if sent.Packets != 0 || pool.Free() != frames {
		t.Errorf("sent %+v, %d frames are back", sent, pool.Free())
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                                         "say --iface",
		"--iface lo extra":                         `"extra": everything is a flag`,
		"--iface lo --driver foo":                  "there are xdp, afxdp, asavie, packet",
		"--iface lo --queue 64":                    "want 0 to 63",
		"--iface lo --rate 5":                      "want max, 1.5Mpps",
		"--iface lo --mix nothing":                 "neither built in",
		"--iface lo":                               "--mac ADDRESS or --gateway",
		"--iface lo --mac 1":                       "no Ethernet address",
		"--iface lo --gateway x":                   "no IPv4 address",
		"--iface lo --mac 1 --gateway 2":           "--mac ADDRESS or --gateway",
		"--iface nothing0 --mac 2:0:0:0:0:1":       "no Ethernet address",
		"--iface nothing0 --mac 02:00:00:00:00:01": `interface "nothing0"`,
	} {
		err := Gen(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("gen %s: %v, want %q", args, err, want)
		}
	}
	if err := Sink(t.Context(), []string{"--iface", "nothing0"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "nothing0") {
		t.Errorf("sink: %v", err)
	}
	if err := Sink(t.Context(), []string{"--help"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
	var out bytes.Buffer
	if err := Gen(t.Context(), []string{"--list"}, &out, io.Discard); err != nil || !strings.Contains(out.String(), "\nimix ") {
		t.Errorf("list: %v, %s", err, out.String())
	}
}

// The commands, one at each end of a cable: what one prints, the other has received.
func TestCommands(t *testing.T) {
	need.Root(t)
	a, b := netns.New(t, "a"), netns.New(t, "b")
	must(t, netns.Veth(netns.End{NS: a, Name: "eth0", Addrs: []string{"10.9.0.1/24"}}, netns.End{NS: b, Name: "eth0", Addrs: []string{"10.9.0.2/24"}}, 1500))
	ctx, stop := context.WithCancel(t.Context())
	var got bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- b.Do(func() error {
			return Sink(ctx, []string{"--iface", "eth0", "--json", "--every", "0"}, &got, io.Discard)
		})
	}()
	eventually(t, "the sink listens", func() bool {
		out, err := b.Run("ip", "link", "show", "eth0")
		return err == nil && strings.Contains(out, "prog/xdp")
	})
	var sent bytes.Buffer
	must(t, a.Do(func() error {
		return Gen(t.Context(), strings.Fields("--iface eth0 --driver afxdp --gateway 10.9.0.2 --mix ip-512 --rate 10kpps --count 500 --json"), &sent, io.Discard)
	}))
	eventually(t, "all packets have come", func() bool {
		out, err := b.Run("ip", "-s", "-j", "link", "show", "eth0")
		var links []struct {
			Stats struct{ RX struct{ Packets int } } `json:"stats64"`
		}
		return err == nil && json.Unmarshal([]byte(out), &links) == nil && len(links) == 1 && links[0].Stats.RX.Packets >= 500
	})
	stop()
	must(t, <-done)
	var s struct {
		Mix  string
		Sent gen.Sent
	}
	var r sink.Report
	must(t, json.Unmarshal(sent.Bytes(), &s))
	must(t, json.Unmarshal(got.Bytes(), &r))
	if s.Mix != "ip-512" || s.Sent.Packets != 500 || r.Stamped != 500 || r.Bytes < s.Sent.Bytes {
		t.Errorf("sent %s, got %s", sent.String(), got.String())
	}
}
