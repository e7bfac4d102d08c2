package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nave/testbed/labs"
	"nave/testbed/topo"
)

// natDemo takes the matrix of NAT case by case: what kinds of boxes are between which routers, which way packets come to take, how soon, and what is lost. asJSON
// prints the rows as JSON and nothing else.
func natDemo(ctx context.Context, keep, asJSON bool, only []string) (err error) {
	out := io.Writer(os.Stdout)
	if asJSON {
		out = os.Stderr
	}
	if err := known(only); err != nil {
		return err
	}
	began := time.Now()
	rows := []labs.NATRow{}
	for _, m := range labs.NATMatrices() {
		if m.Steps = picked(m.Steps, only); len(m.Steps) == 0 {
			continue
		}
		if err = natMatrix(ctx, m, keep, out, func(r labs.NATRow) {
			rows = append(rows, r)
			fmt.Fprintln(out, r.String())
		}); err != nil {
			break
		}
	}
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		err = errors.Join(err, e.Encode(rows))
	}
	failed := 0
	for _, r := range rows {
		if r.Failed != "" {
			failed++
		}
	}
	fmt.Fprintf(out, "\n%d cases, %d of them not as they should be, in %.0f s\n", len(rows), failed, time.Since(began).Seconds())
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d cases are not as they should be", failed)
	}
	return err
}

// known checks that there are steps of these names.
func known(only []string) error {
	var names []string
	for _, m := range labs.NATMatrices() {
		for _, s := range m.Steps[1:] {
			names = append(names, s.Name)
		}
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no step %q; there are: %s", name, strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), ", "))
		}
	}
	return nil
}

// picked are the steps of these names, and the first, which waits until all is up; without names, all of them.
func picked(steps []labs.NATStep, names []string) []labs.NATStep {
	if len(names) == 0 {
		return steps
	}
	var out []labs.NATStep
	for _, s := range steps[1:] {
		if slices.Contains(names, s.Name) {
			out = append(out, s)
		}
	}
	if len(out) > 0 {
		out = append(steps[:1:1], out...)
	}
	return out
}

// natMatrix brings a cloud up and takes its steps.
func natMatrix(ctx context.Context, m labs.NATMatrix, keep bool, out io.Writer, told func(labs.NATRow)) (err error) {
	o, err := options(m.Cloud.Name)
	if err != nil {
		return err
	}
	if _, err := topo.Load(o.Dir); err == nil {
		return fmt.Errorf("%s is up already; `navelab down %s` takes it down", m.Cloud.Name, m.Cloud.Name)
	}
	o.Log = nil
	fmt.Fprintf(out, "\n== %s\n%s", m.Cloud.Summary, m.Cloud.Picture())
	began := time.Now()
	t, err := topo.Up(m.Cloud.Topology(), o)
	if err != nil {
		return err
	}
	defer func() {
		if keep {
			fmt.Fprintf(out, "the lab stays up; its logs are in %s; %s down %s\n", t.Dir, filepath.Join(t.Bin, "navelab"), m.Cloud.Name)
			return
		}
		err = errors.Join(err, t.Down())
	}()
	fmt.Fprintf(out, "%d routers run after %.1f s\n\n%s\n", len(t.Topology.Routers()), time.Since(began).Seconds(), labs.NATRowHead)
	n, err := labs.NewNATLab(t, m.Cloud, told)
	if err != nil {
		return err
	}
	defer n.Close()
	for _, s := range m.Steps {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err := s.Run(n); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}
