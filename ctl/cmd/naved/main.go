// Command naved is the daemon: a DMVPN gateway on the netdevs that it is given, by a configuration in the IOS dialect.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/config/grammar"
	"nave/ctl/crew"
	"nave/ctl/gateway"
)

// options are the flags.
type options struct {
	file    string
	ports   []string
	runDir  string
	copy    bool
	release bool
	debug   bool
	// profile and profiles choose the hardware that the box is to be like.
	profile  string
	profiles string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == crew.Command {
		if err := crew.Main(); err != nil {
			fmt.Fprintln(os.Stderr, "naved:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	cmd := &cobra.Command{
		Use:           "naved -c FILE --port INTERFACE=NETDEV ...",
		Short:         "nave's daemon: a DMVPN gateway on AF_XDP",
		Example:       "  naved -c /etc/nave/nave.cfg --port Ethernet0=eth0 --port Ethernet1=eth1",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(*cobra.Command, []string) error { return run(o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "config", "c", "/etc/nave/nave.cfg", "configuration file")
	f.StringArrayVar(&o.ports, "port", nil, "an interface of the configuration and the netdev that it is, as Ethernet0=eth0; once a port")
	f.StringVar(&o.runDir, "run-dir", "/run/nave", "folder for what outlives the daemon; one for each daemon of a machine")
	f.BoolVar(&o.copy, "copy", false, "no zero-copy, for drivers where it is broken")
	f.BoolVar(&o.release, "release", false, "on a clean stop give the ports back to the kernel; otherwise they go on dropping transit packets")
	f.StringVar(&o.profile, "profile", "", "hardware profile to be like, whatever the configuration says; none is without")
	f.StringVar(&o.profiles, "profile-dir", "", "folder of your own hardware profiles")
	f.BoolVar(&o.debug, "debug", false, "log more")
	if err := cmd.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "naved:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ports, err := parsePorts(o.ports)
	if err != nil {
		return err
	}
	tree, found, err := load(o.file)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	d := &naved{options: o, log: log, limit: newEventLimit()}
	d.limit.follow(tree.Logging.DMVPNInterval)
	d.gw, err = gateway.Start(ctx, tree, gateway.Options{
		Ports: ports, RunDir: o.runDir, Copy: o.copy, Log: log, Event: d.event,
		Profiles: &gateway.Profiles{Name: o.profile, Dir: o.profiles},
	})
	if err != nil && ctx.Err() != nil {
		log.Info("naved was stopped while it started", "error", err)
		return nil
	}
	if err != nil {
		d.warn(tree, nil, found)
		return err
	}
	server, err := api.Serve(filepath.Join(o.runDir, "nave.sock"), d)
	if err != nil {
		d.gw.Leave()
		return err
	}
	d.findings(tree, found)
	err = d.serve(ctx)
	server.Close()
	if err != nil {
		d.gw.Leave() // the workers forward on until the next naved
		return err
	}
	d.gw.Stop(o.release)
	return nil
}

// parsePorts reads --port flags.
func parsePorts(flags []string) (map[string]string, error) {
	ports, devs := make(map[string]string), make(map[string]string)
	for _, f := range flags {
		name, dev, ok := strings.Cut(f, "=")
		canonical, known := grammar.InterfaceName(name)
		if !ok || dev == "" || !known {
			return nil, fmt.Errorf("--port %s: want INTERFACE=NETDEV, as --port Ethernet0=eth0", f)
		}
		if i := (&config.Interface{Name: canonical}); !i.IsPort() || i.Parent() != "" {
			return nil, fmt.Errorf("--port %s: %s is no port: only Ethernet and the like have a netdev", f, canonical)
		}
		if _, dup := ports[canonical]; dup {
			return nil, fmt.Errorf("--port %s: %s has a netdev already", f, canonical)
		}
		if other, dup := devs[dev]; dup {
			return nil, fmt.Errorf("--port %s: %s is %s already", f, dev, other)
		}
		ports[canonical], devs[dev] = dev, canonical
	}
	return ports, nil
}

// load reads and checks a configuration. Errors keep it from being used; what is found beside them is returned.
func load(file string) (*config.Config, config.Diagnostics, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	tree, diags := config.Parse(file, text)
	diags = append(diags, config.Check(tree)...)
	diags.Sort()
	failed := 0
	for _, d := range diags {
		if d.Severity == config.Error {
			failed++
			fmt.Fprintln(os.Stderr, d)
		}
	}
	if failed > 0 {
		return nil, nil, fmt.Errorf("%s has %d errors; `nave check %s` lists all it finds", file, failed, file)
	}
	return tree, diags, nil
}

// naved is the daemon while it runs.
type naved struct {
	options
	log   *slog.Logger
	gw    *gateway.Gateway
	limit *eventLimit // the control plane's goroutine has it
	// told is what was said of the configuration when it was loaded last, telling what is this time. Loads come one by one.
	loading       sync.Mutex
	told, telling map[string]bool
}

// serve answers signals and the watchdog until it is time to stop.
func (d *naved) serve(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, unix.SIGHUP)
	defer signal.Stop(hup)
	watchdog := d.watchdog()
	d.notify(daemon.SdNotifyReady)
	d.log.Info("naved runs", "config", d.file)
	for {
		select {
		case <-ctx.Done():
			d.notify(daemon.SdNotifyStopping)
			d.log.Info("naved stops")
			return nil
		case err := <-d.gw.Failed():
			return err
		case <-hup:
			_ = d.Reload() // logged
		case <-watchdog:
			if d.gw.Alive(time.Second) {
				d.notify(daemon.SdNotifyWatchdog)
			} else {
				d.log.Error("the control plane does not answer")
			}
		}
	}
}

// watchdog ticks at half the interval that systemd wants to hear of us in.
func (d *naved) watchdog() <-chan time.Time {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return nil
	}
	return time.Tick(every / 2)
}

func (d *naved) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.Debug("systemd", "error", err)
	}
}
