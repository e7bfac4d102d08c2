package baseline

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"nave/perf/tsc"
)

// CollectCommand is `naveperf collect`: it reads what Go benchmarks print from standard input.
func CollectCommand(_ context.Context, args []string, out, errs io.Writer) error {
	return collect(args, os.Stdin, out, errs)
}

func collect(args []string, in io.Reader, out, errs io.Writer) error {
	fs := flag.NewFlagSet("naveperf collect", flag.ContinueOnError)
	fs.SetOutput(errs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%q: it reads standard input alone", fs.Arg(0))
	}
	f, err := Collect(in, tsc.CPU())
	if err != nil {
		return err
	}
	return f.JSON(out)
}

// errMoved is how a comparison fails that is told to.
var errMoved = errors.New("something is worse than before, or gone")

// DiffCommand is `naveperf diff`.
func DiffCommand(_ context.Context, args []string, out, errs io.Writer) error {
	fs := flag.NewFlagSet("naveperf diff", flag.ContinueOnError)
	fs.SetOutput(errs)
	fail := fs.Bool("fail", false, "exit with an error if anything is worse by more than the noise, or gone")
	all := fs.Bool("all", false, "show what did not move, too")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 2 {
		return fmt.Errorf("%d arguments: want two files, or two directories of files: before and after", fs.NArg())
	}
	before, err := Load(fs.Arg(0))
	if err != nil {
		return err
	}
	after, err := Load(fs.Arg(1))
	if err != nil {
		return err
	}
	bad, err := diff(before, after, *all, out)
	if err == nil && bad && *fail {
		err = errMoved
	}
	return err
}

// diff writes what moved, file by file, and tells whether anything became worse or is gone.
func diff(before, after map[string]*File, all bool, out io.Writer) (bad bool, err error) {
	b := &strings.Builder{}
	names := slices.Sorted(maps.Keys(before))
	for name := range after {
		if before[name] == nil {
			fmt.Fprintf(b, "%s: there is nothing to compare it with\n", name)
		}
	}
	for _, name := range names {
		old, now := before[name], after[name]
		if name != "" {
			fmt.Fprintf(b, "%s: ", name)
		}
		if now == nil {
			fmt.Fprintf(b, "it was not measured again\n")
			bad = true
			continue
		}
		list := Compare(old, now)
		count := map[Verdict]int{}
		for _, c := range list {
			count[c.Verdict]++
		}
		bad = bad || count[Worse]+count[Gone] > 0
		fmt.Fprintf(b, "%d worse, %d better, %d the same, %d new, %d gone\n", count[Worse], count[Better], count[Same], count[Added], count[Gone])
		if old.CPU != now.CPU {
			fmt.Fprintf(b, "  on another CPU: %q before, %q now, so ratios tell of the machines, too\n", old.CPU, now.CPU)
		}
		for _, c := range list {
			if c.Verdict != Same || all {
				c.line(b)
			}
		}
	}
	_, err = io.WriteString(out, b.String())
	return bad, err
}

func (c *Change) line(out io.Writer) {
	switch c.Verdict {
	case Gone:
		fmt.Fprintf(out, "  %-6s %-52s %12.4g %14s %s\n", c.Verdict, c.Name, c.Old, "", c.Unit)
	case Added:
		fmt.Fprintf(out, "  %-6s %-52s %14s %12.4g %s\n", c.Verdict, c.Name, "", c.New, c.Unit)
	default:
		fmt.Fprintf(out, "  %-6s %-52s %12.4g %12.4g %s, %.3f times (noise %.1f %%)\n", c.Verdict, c.Name, c.Old, c.New, c.Unit, c.Ratio, 100*c.Noise)
	}
}
