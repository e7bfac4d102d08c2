package main

import (
	"github.com/spf13/cobra"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/doctor"
)

// doctor is `nave doctor`.
func (t *tool) doctor() *cobra.Command {
	var a doctor.Ask
	c := &cobra.Command{
		Use: "doctor", Short: "look the machine over: kernel, cards, memory, CPUs, clock, what is in the way, with what to do", Args: cobra.NoArgs,
		Example: "  sudo nave doctor\n  sudo nave doctor --port Ethernet0=eth0 --config hub.cfg",
		Long: "doctor looks and changes nothing. It works with naved running, whose ports it asks for, and without. Exit status: 2 if there is what keeps nave from\n" +
			"running as configured, 1 for warnings, 0 otherwise.",
		RunE: func(*cobra.Command, []string) error {
			a.Socket = t.socket
			code, err := cli.Doctor(t.out, t.json, api.NewClient(t.socket), a)
			t.status = code
			if err == nil && code != 0 {
				err = errFindings
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&a.Config, "config", "c", "/etc/nave/nave.cfg", "configuration file")
	f.StringArrayVar(&a.Ports, "port", nil, "an interface of the configuration and the netdev that it is to be, as Ethernet0=eth0; otherwise those of --environment")
	f.StringVar(&a.Environment, "environment", "/etc/nave/naved.env", "file with NAVE_PORTS, as the unit has it")
	return c
}
