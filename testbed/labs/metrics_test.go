package labs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
	"nave/testbed/netns"
	"nave/testbed/topo"
)

// monitor is Debian's Prometheus beside a router's naved, with nave's rules.
type monitor struct{ ns *netns.NS }

const monitorAddr = "127.0.0.1:9090"

// startMonitor runs it for the length of the test, in the router's namespace: naved answers on loopback.
func startMonitor(t *testing.T, l *topo.Lab, router string) *monitor {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile("../../ctl/metrics/alerts.yaml")
	must(t, err)
	rules := filepath.Join(dir, "alerts.yaml")
	must(t, os.WriteFile(rules, bytes.ReplaceAll(text, []byte("for: 10s"), []byte("for: 1s")), 0o600)) // how long they wait is tested without a lab
	must(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs: [{job_name: nave, static_configs: [{targets: ["127.0.0.1:9469"]}]}]
`, rules), 0o600))
	m := &monitor{l.NS(router)}
	cmd := m.ns.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+monitorAddr)
	log, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGKILL)
		_ = cmd.Wait() // its status says how it was ended
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("prometheus: %s", text)
		}
	})
	return m
}

// query asks an expression, and returns what Prometheus answers, in JSON.
func (m *monitor) query(expr string) (string, error) {
	return m.ns.Run("curl", "-sS", "--fail-with-body", "--data-urlencode", "query="+expr, "http://"+monitorAddr+"/api/v1/query")
}

// Prometheus takes nave's metrics; nave's rules fire by them and stop again; the dashboard asks for nothing that is not there.
func TestMetrics(t *testing.T) {
	t.Parallel()
	need.Command(t, "prometheus", "promtool")
	lab := protected()
	l := topo.ForTest(t, lab.Topology)
	check(t, l, lab.Checks...)
	m := startMonitor(t, l, "hub")
	asks := func(expr string, want ...string) {
		t.Helper()
		says(t, expr, func() (string, error) { return m.query(expr) }, want)
	}
	asks(`nave_dmvpn_peers{state="UP"}`, `"tunnel":"Tunnel0"`, `,"2"]`)
	asks(`nave_crypto_sessions{state="UP"}`, `,"2"]`)
	asks(`nave_tunnel_packets_total{direction="receive"} > 0`, `"tunnel":"Tunnel0"`)
	asks(`ALERTS{alertname="NaveRestarted"}`, `"alertstate":"firing"`)
	var page string
	comes(t, func() (err error) {
		page, err = m.ns.Run("curl", "-sf", "http://127.0.0.1:9469/metrics")
		return err
	})
	if out, err := m.ns.Run("bash", "-c", "curl -sf http://127.0.0.1:9469/metrics | grep -E '^(# (HELP|TYPE) )?nave_' | promtool check metrics"); err != nil || out != "" {
		t.Errorf("promtool: %v: %s", err, out)
	}
	for _, expr := range dashboard(t) {
		for _, name := range regexp.MustCompile(`nave_[a-z_]+`).FindAllString(expr, -1) {
			bare := strings.TrimSuffix(name, "_bucket")
			if !strings.Contains(page, "# TYPE "+bare+" ") && !strings.HasPrefix(bare, "nave_hardware_") && !strings.HasPrefix(bare, "nave_bgp_") && !strings.HasPrefix(bare, "nave_eigrp_") && !strings.HasPrefix(bare, "nave_nhrp_server_") {
				t.Errorf("%s: the hub has no %s", expr, name)
			}
		}
		comes(t, func() error { _, err := m.query(expr); return err })
	}
	far := func(state string) {
		t.Helper()
		must(t, netnsLink(l, "internet", "hub", state))
	}
	asks(`nave_port_up`, `,"1"]`)
	far("down")
	asks(`ALERTS{alertname="NavePortDown"}`, `"alertstate":"firing"`, `"port":"Ethernet0"`)
	far("up")
	says(t, "the alert ends", func() (string, error) { return m.query(`ALERTS{alertname="NavePortDown"}`) }, nil, "NavePortDown")
}

func netnsLink(l *topo.Lab, node, dev, state string) error {
	_, err := l.NS(node).Run("ip", "link", "set", "dev", dev, state)
	return err
}

// dashboard are the expressions of the dashboard, for all instances.
func dashboard(t *testing.T) (list []string) {
	t.Helper()
	text, err := os.ReadFile("../../ctl/metrics/dashboard.json")
	must(t, err)
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	must(t, json.Unmarshal(text, &d))
	for _, p := range d.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %s asks for nothing", p.Title)
		}
		for _, g := range p.Targets {
			list = append(list, strings.ReplaceAll(g.Expr, "$instance", ".*"))
		}
	}
	if len(list) < 15 {
		t.Errorf("only %d expressions", len(list))
	}
	return list
}
