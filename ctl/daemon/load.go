package daemon

import (
	"fmt"
	"os"
	"strings"

	"nave/ctl/config"
	"nave/ctl/config/grammar"
)

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
