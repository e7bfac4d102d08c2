// Command naveperf measures nave: the forwarding path in memory, stalls of poll loops, and what moved since a baseline was taken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"nave/perf/baseline"
	"nave/perf/path"
	"nave/perf/stall"
	"nave/perf/tsc"
)

// command is a subcommand. run gets what follows its name. It prints results to out, and progress and what a flag set has to say to errs.
type command struct {
	name, what string
	run        func(ctx context.Context, args []string, out, errs io.Writer) error
}

// commands in the order that they are listed in.
var commands = []command{
	{"path", "the forwarding path in memory: ticks a packet, by work, size, tunnels and transform", path.Command},
	{"hardware", "what hardware profiles forward, by feature, and this machine without one", path.HardwareCommand},
	{"stall", "how long a poll loop stands still while a gigabyte a second is allocated beside it", stall.Command},
	{"collect", "what Go benchmarks print, as a file that diff compares", baseline.CollectCommand},
	{"diff", "what moved between two measurements by more than the noise", baseline.DiffCommand},
	{"clock", "the CPU, and the rate of the time stamp counter that everything else is measured by", tsc.Command},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. Exit status: 2 for a command that does not exist, 1 for any other error.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	if len(args) == 0 {
		usage(errs)
		return 2
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		switch err := c.run(ctx, args[1:], out, errs); {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		default:
			fmt.Fprintf(errs, "naveperf %s: %v\n", c.name, err)
			return 1
		}
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(out)
		return 0
	}
	fmt.Fprintf(errs, "naveperf: there is no command %q\n\n", args[0])
	usage(errs)
	return 2
}

func usage(w io.Writer) {
	fmt.Fprint(w, "naveperf measures nave.\n\n  naveperf COMMAND [flags]; naveperf COMMAND --help tells the flags\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.what)
	}
}
