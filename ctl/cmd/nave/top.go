package main

import (
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"nave/ctl/api"
	"nave/ctl/top"
)

// topCommand is `nave top`.
func topCommand(socket *string, asJSON *bool) *cobra.Command {
	var once bool
	var interval time.Duration
	c := &cobra.Command{
		Use: "top", Short: "a live view of workers, ports, tunnels, peers and drops", Args: cobra.NoArgs,
		Long: "top shows what the box does a second. Keys: 1 to 5 or tab for a section, s to sort by name or rate, p to pause, q to quit.\n" +
			"With --once, --json, or where the output is no terminal, it prints one picture after one interval.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGTERM, unix.SIGINT)
			defer stop()
			o := top.Options{Interval: interval, JSON: *asJSON}
			if d := api.NewClient(*socket); once || *asJSON || !term.IsTerminal(int(os.Stdout.Fd())) {
				return top.Once(ctx, d, os.Stdout, o)
			} else {
				return top.Run(ctx, d, os.Stdin, os.Stdout, o)
			}
		},
	}
	c.Flags().BoolVar(&once, "once", false, "one picture, as text")
	c.Flags().DurationVar(&interval, "interval", top.DefaultInterval, "time between two looks")
	return c
}
