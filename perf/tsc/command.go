package tsc

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"
)

// Command prints the CPU's name and the counter's rate.
func Command(_ context.Context, args []string, out, errs io.Writer) error {
	fs := flag.NewFlagSet("naveperf clock", flag.ContinueOnError)
	fs.SetOutput(errs)
	span := fs.Duration("span", 500*time.Millisecond, "how long to calibrate")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *span < 10*time.Millisecond {
		return fmt.Errorf("--span %s: want 10ms at least, or the rate is a guess", *span)
	}
	_, err := fmt.Fprintf(out, "%s\n%.6f GHz\n", CPU(), Hz(*span)/1e9)
	return err
}
