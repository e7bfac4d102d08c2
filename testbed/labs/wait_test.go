package labs

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"nave/testbed/netns"
	"nave/testbed/topo"
)

// soon is how long what was set off may take to show. Nothing is measured by it.
const soon = patience

// comes waits until f returns nil: for what others do beside the test.
func comes(t *testing.T, f func() error) {
	t.Helper()
	must(t, topo.Eventually(soon, f))
}

// says waits until what run returns has some texts, and none of others.
func says(t *testing.T, what string, run func() (string, error), want []string, none ...string) {
	t.Helper()
	comes(t, func() error {
		out, err := run()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", what, err, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				return fmt.Errorf("%s: want %q and none of %q; there is no %q in\n%s", what, want, none, w, out)
			}
		}
		for _, w := range none {
			if strings.Contains(out, w) {
				return fmt.Errorf("%s: want %q and none of %q; there is %q in\n%s", what, want, none, w, out)
			}
		}
		return nil
	})
}

// lines waits until what a command on a router or host says has some texts, and none of others. A command that begins with "show" is one of nave's.
func lines(t *testing.T, l *topo.Lab, node string, command []string, want []string, none ...string) {
	t.Helper()
	says(t, strings.Join(command, " ")+" of "+node, func() (string, error) {
		if command[0] == "show" {
			return l.Nave(node, command...)
		}
		return l.Run(node, command...)
	}, want, none...)
}

// linesIn is lines in the namespace of a VRF.
func linesIn(t *testing.T, ns *netns.NS, command string, want []string, none ...string) {
	t.Helper()
	says(t, command+" in "+ns.Name, func() (string, error) { return ns.Run(strings.Fields(command)...) }, want, none...)
}

// logs waits until the log of a router has some texts.
func logs(t *testing.T, l *topo.Lab, router string, want ...string) {
	t.Helper()
	says(t, "the log of "+router, func() (string, error) {
		text, err := os.ReadFile(l.LogFile(router))
		return string(text), err
	}, want)
}

// cut checks that a node comes to get no answer from an address: for a way that a change takes away, in its own time. Where there never was one, Unreachable looks at once.
func cut(node, to string) Check {
	return Check{
		What: fmt.Sprintf("%s reaches %s no more", node, to),
		Run: func(l *topo.Lab) error {
			return topo.Eventually(soon, func() error { return unreachable(l, node, to) })
		},
	}
}

// answers waits until an address answers a program in the namespace of a VRF.
func answers(t *testing.T, ns *netns.NS, to string) {
	t.Helper()
	comes(t, func() error { _, err := ns.Run("ping", "-n", "-c", "1", "-W", "2", to); return err })
}

// vrfSpace is the network namespace of a VRF of a router: each naved of a lab has its own, and all share one /run.
func vrfSpace(t *testing.T, l *topo.Lab, router, vrf string) (space *netns.NS) {
	t.Helper()
	comes(t, func() error {
		names, err := netns.Namespaces("nave-" + vrf)
		if err != nil {
			return err
		}
		for _, name := range names {
			ns := &netns.NS{Name: name}
			if out, err := ns.Run("ip", "link", "show", "dev", "lo"); err == nil && strings.HasSuffix(out, " "+l.RunDir(router)) {
				space = ns
				return nil
			}
		}
		return fmt.Errorf("%s has no namespace of VRF %s", router, vrf)
	})
	return space
}

// spaceGone waits until a namespace is there no more.
func spaceGone(t *testing.T, ns *netns.NS) {
	t.Helper()
	comes(t, func() error {
		if _, err := os.Stat(ns.Path()); !os.IsNotExist(err) {
			return fmt.Errorf("namespace %s stays (%v)", ns.Name, err)
		}
		return nil
	})
}

// haveHome waits until a router's netdevs are in its own namespace.
func haveHome(t *testing.T, l *topo.Lab, router string, devs ...string) {
	t.Helper()
	for _, dev := range devs {
		lines(t, l, router, []string{"ip", "link", "show", "dev", dev}, []string{dev})
	}
}

// haveWorkers waits until a router's workers are as they should be.
func haveWorkers(t *testing.T, l *topo.Lab, router, what string, right func([]int) bool) {
	t.Helper()
	comes(t, func() error {
		now, err := l.Workers(router)
		if err == nil && !right(now) {
			err = fmt.Errorf("%s has the workers %v: %s", router, now, what)
		}
		return err
	})
}

// start starts a router's naved and waits until it answers.
func start(t *testing.T, l *topo.Lab, node string) {
	t.Helper()
	must(t, l.Begin(node))
}

// reload gives a router another configuration at run time.
func reload(t *testing.T, l *topo.Lab, node, text string) {
	t.Helper()
	if out, err := load(l, node, text); err != nil {
		t.Fatalf("reload of %s: %v: %s", node, err, out)
	}
}

// load is reload that may fail.
func load(l *topo.Lab, node, text string) (string, error) {
	if err := os.WriteFile(l.ConfigFile(node), []byte(text), 0o600); err != nil {
		return "", err
	}
	return l.Nave(node, "reload")
}

// configuration is what a router has been told last.
func configuration(t *testing.T, l *topo.Lab, node string) string {
	t.Helper()
	text, err := os.ReadFile(l.ConfigFile(node))
	must(t, err)
	return string(text)
}
