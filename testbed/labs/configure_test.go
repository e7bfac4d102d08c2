package labs

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/ctl/api"
	"nave/testbed/topo"
)

// types enters lines of configuration into a router, each of which is applied at once, and returns what was said of them.
func types(t *testing.T, l *topo.Lab, node string, text ...string) string {
	t.Helper()
	c := api.NewClient(l.Socket(node))
	var path []string
	said := ""
	for _, line := range text {
		done, err := c.Edit(api.Edit{Path: path, Line: line})
		if err != nil || done.Refused || done.Partly != "" {
			t.Fatalf("%s: %v %q: %v %+v", node, path, line, err, done)
		}
		path, said = done.Path, said+strings.Join(done.Findings, "\n")
	}
	return said
}

// act does something to the whole configuration of a router.
func act(t *testing.T, l *topo.Lab, node string, a api.ConfigAction) api.ConfigDone {
	t.Helper()
	done, err := api.NewClient(l.Socket(node)).Act(a)
	if err != nil || done.Refused {
		t.Fatalf("%s: %s: %v %+v", node, a, err, done)
	}
	return done
}

// configures changes routers line by line, by commits and rollbacks, while packets go through them: none is lost. What runs outlives a naved that is killed, and is saved when somebody asks for it.
func configures(t *testing.T, l *topo.Lab) {
	s := startStream(t, l)
	for _, node := range []string{"hub", "spoke1", "spoke2"} {
		if said := types(t, l, node, "interface Tunnel7", "ip address 10.250.0.1 255.255.255.0", "ip nhrp network-id 77", "tunnel source Ethernet0"); !strings.Contains(said, "warning: Tunnel7 has no ") {
			t.Errorf("%s said of a tunnel that is half done: %q", node, said)
		}
		types(t, l, node, "interface Tunnel7", "tunnel mode gre multipoint", "tunnel key 777")
		lines(t, l, node, []string{"show", "running-config"}, []string{"interface Tunnel7\n", " tunnel key 777\n"})
	}
	c := api.NewClient(l.Socket("spoke1"))
	if _, err := c.Edit(api.Edit{Path: []string{"interface Tunnel7"}, Line: "ip mtu 1300", Candidate: true}); err != nil {
		t.Fatal(err)
	}
	lines(t, l, "spoke1", []string{"show", "configuration", "diff"}, []string{" interface Tunnel7\n+ ip mtu 1300\n"})
	if done := act(t, l, "spoke1", api.ConfigAction{What: api.ActCommit, Minutes: 30}); done.Until.IsZero() || done.Changes != "Tunnel7" {
		t.Errorf("a commit for 30 minutes: %+v", done)
	}
	act(t, l, "spoke1", api.ConfigAction{What: api.ActConfirm})
	act(t, l, "hub", api.ConfigAction{What: api.ActRollback, N: 1, Now: true})
	lines(t, l, "hub", []string{"show", "running-config"}, []string{"interface Tunnel0\n"}, "Tunnel7")
	types(t, l, "spoke1", "no interface Tunnel7")
	if lost, sent, which := s.lost(t); lost != 0 {
		t.Errorf("%d of %d packets lost while another tunnel was configured: %s", lost, sent, which)
	}
	logs(t, l, "hub", `command="interface Tunnel7 / tunnel key 777"`, "%SYS-5-CONFIG_I")

	act(t, l, "spoke1", api.ConfigAction{What: api.ActWrite, Force: true})
	if text, err := os.ReadFile(l.ConfigFile("spoke1")); err != nil || strings.Contains(string(text), "Tunnel7") || !strings.Contains(string(text), "interface Tunnel0\n") {
		t.Errorf("saved: %v\n%s", err, text)
	}
	must(t, l.StopRouter("spoke2", unix.SIGKILL)) // its workers forward on
	start(t, l, "spoke2")
	lines(t, l, "spoke2", []string{"show", "running-config"}, []string{"interface Tunnel7\n", " tunnel key 777\n"})
	lines(t, l, "spoke2", []string{"show", "configuration", "diff", "startup"}, []string{"+interface Tunnel7\n"})
	comes(t, func() error {
		if out, err := l.Nave("spoke2", "reload"); err != nil {
			return fmt.Errorf("reload: %w: %s", err, out)
		}
		return nil
	})
	lines(t, l, "spoke2", []string{"show", "running-config"}, []string{"interface Tunnel0\n"}, "Tunnel7")
	check(t, l, Ping("host1", "10.2.0.7", ""))
}
