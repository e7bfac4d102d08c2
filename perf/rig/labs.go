// Package rig is places to measure in: labs of namespaces with a running naved between a generator and a receiver, and a bench with two cables
// for anything that forwards.
package rig

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nave/perf/ends"
	"nave/perf/gen"
	"nave/perf/mix"
	"nave/perf/sink"
	"nave/testbed/topo"
)

//go:embed configs
var configs embed.FS

// Place is a lab that can be built.
type Place struct {
	Name  string
	About string
	// Mix is what is sent unless somebody says otherwise, and Longest the longest innermost packet that goes through, bytes.
	Mix     string
	Longest int
	routers []string // by configuration, in the order that packets meet them
	gen     string   // the generator's address on the first router's link
	sink    string   // the receiver's on the last router's
	hosts   bool     // generator and receiver reach each other as hosts, too
}

// First is the node that meets packets first.
func (p *Place) First() string { return router(0) }

// SinkAddr is the receiver's address.
func (p *Place) SinkAddr() string { return netip.MustParsePrefix(p.sink).Addr().String() }

// gateway is the router's address on the link of an address that ends in another number.
func gateway(addr string) string {
	b := netip.MustParsePrefix(addr).Addr().As4()
	b[3] = 1
	return netip.AddrFrom4(b).String()
}

// Places lists the labs.
func Places() []Place {
	return []Place{
		{Name: Memory, About: "a worker between two cables in this process, without a control plane", Mix: "imix", Longest: 1500},
		{"forward", "one naved that forwards IPv4", "imix", 1500, []string{"forward"}, "10.1.0.7/24", "10.3.0.2/24", true},
		{"gre", "one naved that puts packets into GRE", "ip-512", 1472, []string{"gre"}, "10.1.0.7/24", "198.51.100.2/24", false},
		{"gre-decap", "one naved that takes packets out of GRE", "gre", 1472, []string{"gre-decap"}, "192.0.2.2/24", "10.3.0.2/24", false},
		{"esp", "two naved, one that seals and one that opens: IKEv2, AES-128-GCM", "ip-512", 1400, []string{"esp-seals", "esp-opens"}, "10.1.0.7/24", "10.3.0.2/24", true},
	}
}

// FindPlace finds a lab by name.
func FindPlace(name string) (Place, error) {
	all := Places()
	if k := slices.IndexFunc(all, func(p Place) bool { return p.Name == name }); k >= 0 {
		return all[k], nil
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	return Place{}, fmt.Errorf("rig: there is no lab %q; there are: %s", name, strings.Join(names, ", "))
}

// topology is the place as a network.
func (p *Place) topology() (topo.Topology, error) {
	t := topo.Topology{Name: p.Name, Nodes: []topo.Node{{Name: "gen", Kind: topo.Host}, {Name: "sink", Kind: topo.Host}}}
	if p.hosts {
		t.Nodes[0].Gateway, t.Nodes[1].Gateway = gateway(p.gen), gateway(p.sink)
	}
	for k, name := range p.routers {
		text, err := configs.ReadFile("configs/" + name + ".cfg")
		if err != nil {
			return t, fmt.Errorf("rig: %w", err)
		}
		t.Nodes = append(t.Nodes, topo.Node{Name: router(k), Kind: topo.Router, Config: string(text)})
	}
	last := len(p.routers) - 1
	out := topo.Port{Node: router(last), Dev: "eth1", Iface: "Ethernet1"}
	if last > 0 { // the two face each other by Ethernet1
		t.Links = append(t.Links, topo.Link{A: topo.Port{Node: router(0), Dev: "eth1", Iface: "Ethernet1"}, B: out})
		out = topo.Port{Node: router(last), Dev: "eth0", Iface: "Ethernet0"}
	}
	t.Links = append(t.Links,
		topo.Link{A: topo.Port{Node: router(0), Dev: "eth0", Iface: "Ethernet0"}, B: topo.Port{Node: "gen", Dev: "eth0", Addrs: []string{p.gen}}},
		topo.Link{A: out, B: topo.Port{Node: "sink", Dev: "eth0", Addrs: []string{p.sink}}},
	)
	return t, nil
}

func router(k int) string { return fmt.Sprintf("dut%d", k+1) }

// Lab is a place that is up, with its ends open.
type Lab struct {
	Sender   gen.Sender
	Receiver sink.Receiver
	Topo     *topo.Lab // nil for the lab in memory
	down     []func() error
}

// Options say how a lab is built.
type Options struct {
	Bin     string // folder of naved and nave
	Log     io.Writer
	Senders ends.Driver // default xdp
	Sinks   ends.Driver // default xdp
	CPU     int         // of the generator, -1: any
}

// Up builds a lab, opens both ends and waits until packets go through. Everything is taken down if that fails.
func (p *Place) Up(ctx context.Context, m *mix.Mix, o Options) (l *Lab, err error) {
	for _, s := range m.Sizes {
		if s.Bytes > p.Longest {
			return nil, fmt.Errorf("rig: mix %s has packets of %d bytes, and %d go through the lab %s without fragments", m.Name, s.Bytes, p.Longest, p.Name)
		}
	}
	if p.Name == Memory {
		return upMemory(ctx, m)
	}
	if err := Sweep(); err != nil {
		return nil, err
	}
	t, err := p.topology()
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("np%d", os.Getpid())
	l = &Lab{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Down())
			l = nil
		}
	}()
	if l.Topo, err = topo.Up(t, topo.Options{Prefix: id, Dir: filepath.Join(labFolder, id), Bin: o.Bin, Log: o.Log}); err != nil {
		return l, err
	}
	if err := l.open(m, o); err != nil {
		return l, err
	}
	return l, l.prime(ctx)
}

// open opens both ends.
func (l *Lab) open(m *mix.Mix, o Options) (err error) {
	if o.Senders == "" {
		o.Senders = ends.XDP
	}
	if o.Sinks == "" {
		o.Sinks = ends.XDP
	}
	first := ends.Config{Iface: "eth0", Enter: l.Topo.NS(router(0)).Do}
	_, dst, err := first.Netdev()
	if err != nil {
		return err
	}
	if l.Receiver, err = ends.Receiver(ends.Config{Driver: o.Sinks, Iface: "eth0", Stamps: true, Enter: l.Topo.NS("sink").Do}); err != nil {
		return err
	}
	l.Sender, err = ends.Sender(ends.Config{Driver: o.Senders, Iface: "eth0", CPU: o.CPU, Enter: l.Topo.NS("gen").Do}, m, dst)
	return err
}

// primeFor is how long a lab may take until packets go through: neighbours, and IKE where there is some.
const primeFor = 20 * time.Second

// prime sends a few packets until some arrive.
func (l *Lab) prime(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, primeFor)
	defer stop()
	run, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- l.Receiver.Run(run) }()
	defer func() { end(); <-done }()
	for ctx.Err() == nil {
		if err := l.Receiver.Reset(); err != nil {
			return err
		}
		sent, err := l.Sender.Send(ctx, gen.Load{Rate: gen.Rate{PPS: 200}, Count: 40})
		if err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
		r, err := l.Receiver.Report()
		if err != nil {
			return err
		}
		if r.Packets >= sent.Packets && sent.Packets > 0 {
			return nil
		}
	}
	why := "look at the logs"
	if l.Topo != nil {
		if text, err := l.Topo.Nave(router(0), "show", "fastpath"); err == nil {
			why = "the first router says:\n" + text
		}
	}
	return fmt.Errorf("rig: no packets come through within %v: %s", primeFor, why)
}

// CloseEnds closes generator and receiver, for something else to use the lab.
func (l *Lab) CloseEnds() error {
	var err error
	if l.Sender != nil {
		err = errors.Join(err, l.Sender.Close())
	}
	if l.Receiver != nil {
		err = errors.Join(err, l.Receiver.Close())
	}
	l.Sender, l.Receiver = nil, nil
	return err
}

// Down closes the ends and takes the lab down.
func (l *Lab) Down() error {
	err := l.CloseEnds()
	if l.Topo != nil {
		err = errors.Join(err, l.Topo.Down())
	}
	for i := len(l.down) - 1; i >= 0; i-- {
		err = errors.Join(err, l.down[i]())
	}
	return err
}
