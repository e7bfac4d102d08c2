// Package daemon is naved: a gateway, what is told of it (log, API), and the signals and the watchdog that it lives by.
//
//	daemon.go    Run: from the flags to the end
//	load.go      reading the configuration file
//	configure.go configuration while it runs: lines, commits, reloads
//	revisions.go what of that outlives the daemon, and what the next one begins with
//	configtext.go, configfile.go  configurations as text, and in files
//	box.go       what the API answers of the gateway and has done to it
//	clear.go     what is cleared
//	measure.go   CPU time, memory and rates, and counters that are cleared
//	events.go    what the protocols report, into the log
//	debug.go     what is debugged, into the log
//	capture.go   captures of packets
//	logs.go      where that goes, and what the API answers of it
//	findings.go  what there is to say of a configuration
package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"nave/ctl/api"
	"nave/ctl/gateway"
	"nave/ctl/logs"
	"nave/ctl/show"
)

// Options are the flags of naved.
type Options struct {
	File    string   // configuration file
	Ports   []string // INTERFACE=NETDEV
	RunDir  string   // what outlives the daemon; its socket
	Copy    bool     // no zero-copy
	Release bool     // a clean stop gives the ports back to the kernel
	Debug   bool     // log more
	Metrics string   // HOST:PORT for Prometheus; empty: none
	// MetricsPeers adds counts of each peer.
	MetricsPeers bool
	// Profile and Profiles choose the hardware that the box is to be like, and the folder of the user's own.
	Profile  string
	Profiles string
}

// Run is the daemon, until a signal ends it.
func Run(o Options) error {
	out := logs.New(logs.Options{Debug: o.Debug, Trouble: show.LogTrouble})
	defer out.Close(logPatience)
	log := slog.New(out.Handler())
	ports, err := parsePorts(o.Ports)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1) // from now on: one that comes while naved starts, which may take a while, is no reason to die
	signal.Notify(hup, unix.SIGHUP)
	defer signal.Stop(hup)
	d := &Daemon{Options: o, log: log, logs: out, limit: logs.NewEvents()}
	d.conf = newConfigurator(d)
	defer d.conf.close()
	tree, found, err := d.conf.firstTree()
	if err != nil {
		return err
	}
	d.logBy(tree)
	d.gw, err = gateway.Start(ctx, tree, gateway.Options{
		Ports: ports, RunDir: o.RunDir, Copy: o.Copy, Log: log, Event: d.event,
		Profiles: &gateway.Profiles{Name: o.Profile, Dir: o.Profiles},
	})
	if err != nil && ctx.Err() != nil {
		log.Info("naved was stopped while it started", "error", err)
		d.conf.ended()
		return nil
	}
	if err != nil {
		d.warn(tree, nil, found)
		return err
	}
	d.startMeasuring(ctx)
	endDebugger := d.startDebugger()
	defer endDebugger()
	d.findings(tree, found) // before anybody can change what it is about
	server, err := api.Serve(filepath.Join(o.RunDir, "nave.sock"), api.Services{Box: d, Logs: d, Config: d.conf, Debug: d, Explain: d, Enable: d, Ping: d, Capture: d, Access: api.DefaultAccess, Audit: d.audit})
	if err != nil {
		d.gw.Leave()
		return err
	}
	endMetrics := d.startMetrics()
	err = d.serve(ctx, hup)
	endMetrics()
	server.Close()
	if err != nil {
		d.gw.Leave() // the workers forward on until the next naved
		return err
	}
	d.conf.ended()
	d.gw.Stop(o.Release)
	return nil
}

// Daemon is naved while it runs.
type Daemon struct {
	Options
	log      *slog.Logger
	gw       *gateway.Gateway
	pings    pings
	captures capturing
	debugger debugger
	limit    *logs.Events
	logs     *logs.Log
	servers  []netip.AddrPort // that the log is sent to; who loads a configuration has it
	measured measured
	enabler  enabler
	conf     *configurator
	// told is what was said of the configuration when it was loaded last, telling what is this time. Loads come one by one.
	told, telling map[string]bool
}

// serve answers signals and the watchdog until it is time to stop.
func (d *Daemon) serve(ctx context.Context, hup <-chan os.Signal) error {
	watchdog := d.watchdog()
	d.notify(daemon.SdNotifyReady)
	text, severity := show.LogStarted(true)
	d.say(severity, text, slog.String("config", d.File))
	reload := inTurn(func() { _ = d.Reload() }) // logged; it waits for who changes something at the moment, and the watchdog does not
	for {
		select {
		case <-ctx.Done():
			d.notify(daemon.SdNotifyStopping)
			text, severity := show.LogStarted(false)
			d.say(severity, text)
			return nil
		case err := <-d.gw.Failed():
			return err
		case <-hup:
			d.logs.Reopen()
			reload()
		case <-watchdog:
			if d.gw.Alive(time.Second) {
				d.notify(daemon.SdNotifyWatchdog)
			} else {
				d.log.Error("the control plane does not answer")
			}
		}
	}
}

// inTurn is what has f called, beside everything else: once after the other, and once more for all who ask while it runs.
func inTurn(f func()) func() {
	var mu sync.Mutex
	var running, again bool
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if running {
			again = true
			return
		}
		running = true
		go func() {
			for more := true; more; {
				f()
				mu.Lock()
				more, again = again, false
				running = more
				mu.Unlock()
			}
		}()
	}
}

// watchdog ticks at half the interval that systemd wants to hear of us in.
func (d *Daemon) watchdog() <-chan time.Time {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return nil
	}
	return time.Tick(every / 2)
}

func (d *Daemon) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.Debug("systemd", "error", err)
	}
}
