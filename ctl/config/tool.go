package config

import (
	"fmt"
	"io"
	"os"
)

// CheckFiles reads configuration files, checks each and all together, and writes the findings to w, one a line or as a
// JSON array. It returns the exit code: 2 where a file can't be read or a command is unknown or malformed, 1 where there
// are other errors, else 0.
func CheckFiles(w io.Writer, asJSON bool, files ...string) (int, error) {
	var all Diagnostics
	var trees []*Config
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return 2, fmt.Errorf("config: %w", err)
		}
		c, diags := Parse(f, text)
		all = append(all, diags...)
		trees = append(trees, c)
	}
	all = append(all, Check(trees...)...)
	all.Sort()
	if asJSON {
		_, err := w.Write(all.JSON())
		return all.ExitCode(), err
	}
	for _, d := range all {
		if _, err := fmt.Fprintln(w, d); err != nil {
			return 2, fmt.Errorf("config: %w", err)
		}
	}
	return all.ExitCode(), nil
}
