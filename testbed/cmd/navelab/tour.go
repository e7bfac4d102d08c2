package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"nave/testbed/labs"
	"nave/testbed/topo"
)

// tour brings any lab up, shows that what must hold in it does, what its routers know and who reaches whom, and takes it down.
func tour(ctx context.Context, name string, keep bool) (err error) {
	lab, err := labs.Find(name)
	if err != nil {
		return err
	}
	o, err := options(name)
	if err != nil {
		return err
	}
	if _, err := topo.Load(o.Dir); err == nil {
		return fmt.Errorf("%s is up already; `navelab down %s` takes it down", name, name)
	}
	step("The lab %s: %s", lab.Name, lab.Summary)
	began := time.Now()
	t, err := topo.Up(lab.Topology, o)
	if err != nil {
		return err
	}
	defer func() {
		if keep && err == nil {
			hints(t, lab)
			return
		}
		err = errors.Join(err, t.Down())
		if err == nil {
			fmt.Println("\nThe lab is down; nothing is left of it.")
		}
	}()
	fmt.Printf("%s run after %.1f s\n", strings.Join(t.Topology.Routers(), ", "), time.Since(began).Seconds())
	step("What must hold")
	for _, c := range lab.Checks {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		began := time.Now()
		if err := c.Run(t); err != nil {
			return fmt.Errorf("%s: does not hold: %w", c.What, err)
		}
		fmt.Printf("holds   %s (%.1f s)\n", c.What, time.Since(began).Seconds())
	}
	if len(lab.Tables) > 0 {
		step("What the routers know")
		for _, table := range lab.Tables {
			if err := show(t, table.Router, table.Command); err != nil {
				return err
			}
		}
	}
	if lab.Measure != nil {
		step("Measured")
		if err := lab.Measure(t, os.Stdout); err != nil {
			return err
		}
	}
	step("Who reaches whom, each at an address of its own")
	matrix(labs.Ways(t))
	return ctx.Err()
}

// matrix prints who reaches whom: from the left to the top.
func matrix(r labs.Reach) {
	fmt.Printf("%-10s", "from | to")
	for _, h := range r.Hosts {
		fmt.Printf(" %8s", h)
	}
	fmt.Println()
	for from, row := range r.Yes {
		fmt.Printf("%-10s", r.Hosts[from])
		for _, yes := range row {
			fmt.Printf(" %8s", map[bool]string{true: "yes", false: "."}[yes])
		}
		fmt.Printf("   %s\n", r.Addrs[from])
	}
}

// hints prints what can be tried in a lab that stays up.
func hints(t *topo.Lab, lab labs.Lab) {
	router := t.Topology.Routers()[0]
	fmt.Printf("\nThe lab %s is up. In it:\n", lab.Name)
	fmt.Printf("  %s --socket %s show ip route\n", filepath.Join(t.Bin, "nave"), t.Socket(router))
	var first string
	for _, n := range t.Topology.Nodes {
		addr, ok := labs.OwnAddr(t, n.Name)
		switch {
		case n.Name == "internet":
			fmt.Printf("  ip netns exec %s tcpdump -ni any esp or udp port 500 or udp port 4500 or proto gre\n", t.NS(n.Name).Name)
		case n.Kind != topo.Host || !ok:
		case first == "":
			first = n.Name
		case labs.Group(n.Name) == labs.Group(first) && n.Name != first:
			fmt.Printf("  ip netns exec %s ping %s\n", t.NS(first).Name, addr)
		}
	}
	for _, s := range lab.Try {
		fmt.Println("  on", s)
	}
	fmt.Printf("  %s down %s\n", filepath.Join(t.Bin, "navelab"), filepath.Base(t.Dir))
}
