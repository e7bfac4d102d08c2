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
	trees, all, err := ReadFiles(files...)
	if err != nil {
		return 2, err
	}
	all = append(all, Check(trees...)...)
	return all.Write(w, asJSON)
}

// ReadFiles reads configuration files and returns their trees, in order, and what is wrong with the text.
func ReadFiles(files ...string) ([]*Config, Diagnostics, error) {
	var all Diagnostics
	var trees []*Config
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, nil, fmt.Errorf("config: %w", err)
		}
		c, diags := Parse(f, text)
		all = append(all, diags...)
		trees = append(trees, c)
	}
	return trees, all, nil
}

// Write sorts the findings and writes them, one a line or as a JSON array. It returns the exit code, 2 where they can't
// be written.
func (ds Diagnostics) Write(w io.Writer, asJSON bool) (int, error) {
	ds.Sort()
	if asJSON {
		_, err := w.Write(ds.JSON())
		return ds.ExitCode(), err
	}
	for _, d := range ds {
		if _, err := fmt.Fprintln(w, d); err != nil {
			return 2, fmt.Errorf("config: %w", err)
		}
	}
	return ds.ExitCode(), nil
}
