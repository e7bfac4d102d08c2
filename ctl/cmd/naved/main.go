// Command naved is the daemon: a DMVPN gateway on the netdevs that it is given, by a configuration in the IOS dialect.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"nave/ctl/crew"
	"nave/ctl/daemon"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == crew.Command {
		if err := crew.Main(); err != nil {
			fmt.Fprintln(os.Stderr, "naved:", err)
			os.Exit(1)
		}
		return
	}
	var o daemon.Options
	cmd := &cobra.Command{
		Use:           "naved -c FILE --port INTERFACE=NETDEV ...",
		Short:         "nave's daemon: a DMVPN gateway on AF_XDP",
		Example:       "  naved -c /etc/nave/nave.cfg --port Ethernet0=eth0 --port Ethernet1=eth1",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(*cobra.Command, []string) error { return daemon.Run(o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.File, "config", "c", "/etc/nave/nave.cfg", "configuration file")
	f.StringArrayVar(&o.Ports, "port", nil, "an interface of the configuration and the netdev that it is, as Ethernet0=eth0; once a port")
	f.StringVar(&o.RunDir, "run-dir", "/run/nave", "folder for what outlives the daemon; one for each daemon of a machine")
	f.BoolVar(&o.Copy, "copy", false, "no zero-copy, for drivers where it is broken")
	f.BoolVar(&o.Release, "release", false, "on a clean stop give the ports back to the kernel; otherwise they go on dropping transit packets")
	f.StringVar(&o.Profile, "profile", "", "hardware profile to be like, whatever the configuration says; none is without")
	f.StringVar(&o.Profiles, "profile-dir", "", "folder of your own hardware profiles")
	f.StringVar(&o.Metrics, "metrics", daemon.DefaultMetrics, "where Prometheus may ask, HOST:PORT; empty: nowhere")
	f.BoolVar(&o.MetricsPeers, "metrics-peers", false, "metrics of each peer of a tunnel, too")
	f.BoolVar(&o.Debug, "debug", false, "log more")
	if err := cmd.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "naved:", err)
		os.Exit(1)
	}
}
