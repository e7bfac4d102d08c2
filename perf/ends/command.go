package ends

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"nave/perf/gen"
	"nave/perf/mix"
	"nave/perf/sink"
)

// flags adds the flags that say where and how.
func (c *Config) flags(f *flag.FlagSet) {
	f.StringVar((*string)(&c.Driver), "driver", string(XDP), "how: "+names())
	f.StringVar(&c.Iface, "iface", "", "network `interface`")
	f.IntVar(&c.Queue, "queue", 0, "`queue` of the drivers afxdp and asavie")
}

func (c *Config) check(f *flag.FlagSet) error {
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("%q: everything is a flag; --help tells them", f.Arg(0))
	case c.Iface == "":
		return errors.New("say --iface NAME: the link to use (`ip link` lists them)")
	case !c.Driver.known():
		return fmt.Errorf("--driver %s: there are %s", c.Driver, names())
	case c.Queue < 0 || c.Queue > 63:
		return fmt.Errorf("--queue %d: want 0 to 63", c.Queue)
	}
	return nil
}

func (d Driver) known() bool { return strings.Contains(" "+names()+",", " "+string(d)+",") }

// Gen is the command `naveperf gen`.
func Gen(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("gen", flag.ContinueOnError)
	f.SetOutput(errs)
	c := Config{}
	c.flags(f)
	name := f.String("mix", "imix", "what: a built-in `mix` or a file")
	list := f.Bool("list", false, "list the mixes that are built in, and end")
	mac := f.String("mac", "", "Ethernet `address` to send to")
	gateway := f.String("gateway", "", "IPv4 `address` on the link whose Ethernet address to ask for, instead of --mac")
	rate := f.String("rate", "max", "`rate`: max, 1.5Mpps, 10Gbit/s")
	var l gen.Load
	f.Uint64Var(&l.Count, "count", 0, "end after so many `packets`")
	f.DurationVar(&l.Duration, "duration", 10*time.Second, "end after this `time`; 0 goes on until interrupted")
	f.BoolVar(&l.NoStamps, "no-stamps", false, "send no sequence numbers and times")
	f.IntVar(&c.CPU, "cpu", -1, "`CPU` for the generator of driver xdp")
	asJSON := f.Bool("json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *list {
		return printMixes(out)
	}
	if err := c.check(f); err != nil {
		return err
	}
	var err error
	if l.Rate, err = gen.ParseRate(*rate); err != nil {
		return err
	}
	m, err := mix.Load(*name)
	if err != nil {
		return err
	}
	dst, err := Destination(&c, *mac, *gateway)
	if err != nil {
		return err
	}
	s, err := Sender(c, m, dst)
	if err != nil {
		return err
	}
	sent, err := s.Send(ctx, l)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(out, struct {
			Mix    string   `json:"mix"`
			Driver Driver   `json:"driver"`
			Rate   string   `json:"rate"`
			Sent   gen.Sent `json:"sent"`
			PPS    float64  `json:"pps"`
		}{m.Name, c.Driver, l.Rate.String(), sent, sent.PPS()})
	}
	_, err = fmt.Fprintf(out, "sent       %d packets, %d bytes in %v: %.4f Mpps, %.3f Gbit/s\n",
		sent.Packets, sent.Bytes, sent.Took.Round(time.Millisecond), sent.PPS()/1e6, float64(sent.Bytes)*8/max(sent.Took.Seconds(), 1e-9)/1e9)
	return err
}

func printMixes(out io.Writer) error {
	for _, n := range mix.Names() {
		m, err := mix.Load(n)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%-14s %s\n", n, m.About); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Destination is the Ethernet address to send to: mac, or that of the IPv4 address gateway on the link.
func Destination(c *Config, mac, gateway string) (dst [6]byte, err error) {
	switch {
	case (mac == "") == (gateway == ""):
		return dst, errors.New("say --mac ADDRESS or --gateway ADDRESS: whom the frames are for")
	case mac != "":
		a, err := net.ParseMAC(mac)
		if err != nil || len(a) != 6 {
			return dst, fmt.Errorf("--mac %s: no Ethernet address", mac)
		}
		return [6]byte(a), nil
	}
	a, err := netip.ParseAddr(gateway)
	if err != nil || !a.Is4() {
		return dst, fmt.Errorf("--gateway %s: no IPv4 address", gateway)
	}
	err = c.enter(func() error { dst, err = neighbour(c.Iface, a); return err })
	return dst, err
}

// neighbour asks the kernel for an Ethernet address, by sending the neighbour a datagram that nobody minds.
func neighbour(iface string, a netip.Addr) (mac [6]byte, err error) {
	l, err := netlink.LinkByName(iface)
	if err != nil {
		return mac, fmt.Errorf("ends: interface %q: %w", iface, err)
	}
	conn, err := net.Dial("udp4", netip.AddrPortFrom(a, 9).String()) // discard (RFC 863)
	if err != nil {
		return mac, fmt.Errorf("ends: reach %v: %w", a, err)
	}
	defer conn.Close()
	for range 30 {
		_, _ = conn.Write([]byte{0}) // refused or not, the kernel asks for the neighbour
		list, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_V4)
		if err != nil {
			return mac, fmt.Errorf("ends: neighbours of %s: %w", iface, err)
		}
		for _, n := range list {
			if ip, ok := netip.AddrFromSlice(n.IP.To4()); ok && ip == a && len(n.HardwareAddr) == 6 && n.State&netlink.NUD_FAILED == 0 {
				return [6]byte(n.HardwareAddr), nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return mac, fmt.Errorf("ends: nobody on %s answers for %v: is there an address of that subnet on it?", iface, a)
}

// Sink is the command `naveperf sink`.
func Sink(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("sink", flag.ContinueOnError)
	f.SetOutput(errs)
	c := Config{CPU: -1, Stamps: true}
	c.flags(f)
	duration := f.Duration("duration", 0, "end after this `time`; 0 goes on until interrupted")
	every := f.Duration("every", time.Second, "print a line this often, to standard error; 0 for none")
	count := f.Bool("count", false, "only count: read no stamps (driver xdp)")
	asJSON := f.Bool("json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if err := c.check(f); err != nil {
		return err
	}
	c.Stamps = !*count
	r, err := Receiver(c)
	if err != nil {
		return err
	}
	if *duration > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, *duration)
		defer stop()
	}
	begin := time.Now()
	report, err := watch(ctx, r, *every, errs)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(out, struct {
			Driver Driver        `json:"driver"`
			Took   time.Duration `json:"took_ns"`
			sink.Report
		}{c.Driver, time.Since(begin), report})
	}
	_, err = fmt.Fprint(out, report.Text(0))
	return err
}

// watch runs a receiver until the context ends, and says now and then how much came.
func watch(ctx context.Context, r sink.Receiver, every time.Duration, errs io.Writer) (sink.Report, error) {
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	tick := make(<-chan time.Time)
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		tick = t.C
	}
	var last uint64
	for {
		select {
		case err := <-done:
			report, e := r.Report()
			return report, errors.Join(err, e)
		case <-tick:
			report, err := r.Report()
			if err != nil {
				return report, err
			}
			fmt.Fprintf(errs, "%.4f Mpps, %d lost, %d reordered, p99 %v\n", float64(report.Packets-last)/every.Seconds()/1e6,
				report.Lost, report.Reordered, time.Duration(report.Latency.P99))
			last = report.Packets
		}
	}
}
