// Package topo is a network as a value: nodes and the cables between them. Up builds it of network namespaces, with a
// naved in each router.
package topo

import (
	"fmt"
	"net/netip"
	"slices"
)

// Kind says what runs in a node.
type Kind string

// The kinds of nodes.
const (
	Router Kind = "router" // a naved, with Config
	Host   Kind = "host"   // Linux with a default route
	Core   Kind = "core"   // Linux that forwards: "the internet"
)

// Node is one box.
type Node struct {
	Name    string
	Kind    Kind
	Config  string   // of a router, in the IOS dialect
	Gateway string   // default route of a host or core; empty: none
	Setup   []string // commands run in the node's namespace once its links are there, split at spaces
	// Profiles are hardware profiles of a router's own, for its --profile-dir: YAML by the name of the file.
	Profiles map[string]string
}

// Port is one end of a cable. Iface is the name that a router's configuration has for it; empty for other nodes.
type Port struct {
	Node  string
	Dev   string
	Iface string
	Addrs []string // for nodes that are no routers: "10.0.0.7/24"
	// Queues is how many RX and TX queues the device has; 0 means one.
	Queues int
}

// Link is a cable.
type Link struct {
	A, B Port
	MTU  int // 0: 1500
}

// Topology is a network.
type Topology struct {
	Name  string
	Nodes []Node
	Links []Link
}

// Node finds a node by name.
func (t *Topology) Node(name string) (Node, bool) {
	k := slices.IndexFunc(t.Nodes, func(n Node) bool { return n.Name == name })
	if k < 0 {
		return Node{}, false
	}
	return t.Nodes[k], true
}

// Routers lists the names of the nodes that run naved, in order.
func (t *Topology) Routers() []string {
	var out []string
	for _, n := range t.Nodes {
		if n.Kind == Router {
			out = append(out, n.Name)
		}
	}
	return out
}

// Check finds what would keep the topology from being built: unknown nodes, names taken twice, bad addresses.
func (t *Topology) Check() error {
	devs := make(map[string]bool)
	names := make(map[string]bool)
	for _, n := range t.Nodes {
		if names[n.Name] {
			return fmt.Errorf("topo: %s: two nodes are called %s", t.Name, n.Name)
		}
		names[n.Name] = true
		if (n.Kind == Router) != (n.Config != "") {
			return fmt.Errorf("topo: %s: node %s: routers have a configuration, others have none", t.Name, n.Name)
		}
	}
	for _, l := range t.Links {
		for _, p := range []Port{l.A, l.B} {
			n, ok := t.Node(p.Node)
			if !ok {
				return fmt.Errorf("topo: %s: a link ends at %s, and there is no such node", t.Name, p.Node)
			}
			if devs[p.Node+" "+p.Dev] || p.Dev == "" || len(p.Dev) > 15 {
				return fmt.Errorf("topo: %s: node %s: the device name %q is taken, empty or too long", t.Name, p.Node, p.Dev)
			}
			devs[p.Node+" "+p.Dev] = true
			if n.Kind == Router && p.Iface == "" {
				return fmt.Errorf("topo: %s: node %s: device %s has no interface name", t.Name, p.Node, p.Dev)
			}
			for _, a := range p.Addrs {
				if _, err := netip.ParsePrefix(a); err != nil {
					return fmt.Errorf("topo: %s: node %s: %w", t.Name, p.Node, err)
				}
			}
		}
	}
	return nil
}
