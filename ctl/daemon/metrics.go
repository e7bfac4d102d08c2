package daemon

import (
	"context"
	"net"
	"sync"
	"time"

	"nave/ctl/metrics"
)

// DefaultMetrics is where Prometheus may ask.
const DefaultMetrics = metrics.DefaultAddress

// metricsAgain is when a place for the metrics that was taken is tried again.
const metricsAgain = 10 * time.Second

// startMetrics lets Prometheus ask. What keeps it from that keeps naved from nothing else, and is tried again. The result ends it.
func (d *Daemon) startMetrics() (end func()) {
	if d.Metrics == "" {
		return func() {}
	}
	alive := func() bool { return d.gw.Alive(time.Second) }
	h, err := metrics.Handler(metrics.New(d, metrics.Options{Peers: d.MetricsPeers}), alive)
	if err != nil {
		d.log.Error("no metrics", "error", err)
		return func() {}
	}
	began := func(at net.Addr) {
		if a, ok := at.(*net.TCPAddr); ok && !a.IP.IsLoopback() {
			d.log.Warn("whoever reaches this address can read the metrics: names of tunnels, addresses of servers and neighbors, counts", "address", a.String())
			return
		}
		d.log.Info("metrics", "address", at.String())
	}
	failed := func(err error) {
		d.log.Warn("no metrics for now; --metrics HOST:PORT names another place, --metrics \"\" none", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { metrics.Keep(ctx, d.Metrics, h, metricsAgain, began, failed) })
	return func() {
		cancel()
		done.Wait()
	}
}
