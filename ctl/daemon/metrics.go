package daemon

import (
	"net"
	"time"

	"nave/ctl/metrics"
)

// DefaultMetrics is where Prometheus may ask.
const DefaultMetrics = metrics.DefaultAddress

// startMetrics lets Prometheus ask. What keeps it from that keeps naved from nothing else. The result ends it.
func (d *Daemon) startMetrics() (end func()) {
	end = func() {}
	if d.Metrics == "" {
		return end
	}
	alive := func() bool { return d.gw.Alive(time.Second) }
	h, err := metrics.Handler(metrics.New(d, metrics.Options{Peers: d.MetricsPeers}), alive)
	if err != nil {
		d.log.Error("no metrics", "error", err)
		return end
	}
	s, err := metrics.Serve(d.Metrics, h)
	if err != nil {
		d.log.Warn("no metrics; --metrics HOST:PORT names another place, --metrics \"\" none", "error", err)
		return end
	}
	if a, ok := s.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		d.log.Warn("whoever reaches this address can read the metrics: names of tunnels, addresses of servers and neighbors, counts", "address", a.String())
	}
	return func() {
		if err := s.Close(); err != nil {
			d.log.Debug("metrics", "error", err)
		}
	}
}
