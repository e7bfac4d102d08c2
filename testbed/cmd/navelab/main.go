// Command navelab brings up labs of network namespaces, each with naved in its routers: to see nave work, and to play
// with it. It needs root.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"nave/testbed/labs"
	"nave/testbed/topo"
)

// labDir holds a folder for each lab that is up.
const labDir = "/run/nave-lab"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use: "navelab", Short: "labs of network namespaces, to see nave work",
		SilenceUsage: true, SilenceErrors: true,
	}
	var keep, asJSON bool
	var only []string
	demo := &cobra.Command{
		Use: "demo [NAME]", Short: "a protected DMVPN of a hub and two spokes, explained step by step; or any lab, with what holds in it and who reaches whom; nat: case by case what works through which NAT",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "nat" {
				return natDemo(ctx, keep, asJSON, only)
			}
			if len(args) == 1 {
				return tour(ctx, args[0], keep)
			}
			return demo(ctx, keep)
		},
	}
	demo.Flags().BoolVar(&keep, "keep", false, "leave the lab up at the end, and say what to try")
	demo.Flags().BoolVar(&asJSON, "json", false, "of nat: print the cases as JSON")
	demo.Flags().StringSliceVar(&only, "only", nil, "of nat: these steps, such as \"rebinding\"")
	root.AddCommand(demo,
		&cobra.Command{
			Use: "up NAME", Short: "bring a lab up, check it, and leave it up", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return up(args[0]) },
		},
		&cobra.Command{
			Use: "down [NAME]", Short: "take a lab down, or all that are up", Args: cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return down(args) },
		},
		&cobra.Command{
			Use: "list", Short: "list the labs, and which are up", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return list() },
		},
	)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "navelab:", err)
		os.Exit(1)
	}
}

// options says where a lab is built. The binaries are beside navelab's own.
func options(name string) (topo.Options, error) {
	if os.Geteuid() != 0 {
		return topo.Options{}, errors.New("labs need root: network namespaces, XDP programs (try sudo)")
	}
	self, err := os.Executable()
	if err != nil {
		return topo.Options{}, err
	}
	bin := filepath.Dir(self)
	for _, b := range []string{"naved", "nave"} {
		if _, err := os.Stat(filepath.Join(bin, b)); err != nil {
			return topo.Options{}, fmt.Errorf("%s is not beside navelab in %s; run `make`", b, bin)
		}
	}
	return topo.Options{Prefix: "nave-" + name, Dir: filepath.Join(labDir, name), Bin: bin, Log: os.Stdout}, nil
}

func up(name string) error {
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
	t, err := topo.Up(lab.Topology, o)
	if err != nil {
		return err
	}
	failed := 0
	for _, c := range lab.Checks {
		if err := c.Run(t); err != nil {
			failed++
			fmt.Printf("FAILED  %s: %v\n", c.What, err)
		} else {
			fmt.Printf("holds   %s\n", c.What)
		}
	}
	for _, table := range lab.Tables {
		if err := show(t, table.Router, table.Command); err != nil {
			return err
		}
	}
	hints(t, lab)
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed; the lab is up, the logs are in %s", failed, len(lab.Checks), t.Dir)
	}
	return nil
}

func down(names []string) error {
	if len(names) == 0 {
		entries, err := os.ReadDir(labDir)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	for _, n := range names {
		l, err := topo.Load(filepath.Join(labDir, n))
		if err != nil {
			return err
		}
		if err := l.Down(); err != nil {
			return err
		}
		fmt.Println(n, "is down")
	}
	return nil
}

func list() error {
	for _, l := range labs.All() {
		state := ""
		if _, err := topo.Load(filepath.Join(labDir, l.Name)); err == nil {
			state = " (up)"
		}
		fmt.Printf("%-16s %s%s\n", l.Name, l.Summary, state)
	}
	return nil
}
