package gateway

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// lock takes the netdevs for this process: a socket with an abstract name, which belongs to the network namespace and
// goes away with the process, however it ends.
func lock(netdevs []string) (unlock func(), err error) {
	var held []*net.UnixListener
	unlock = func() {
		for _, l := range held {
			l.Close()
		}
	}
	for _, dev := range netdevs {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: "@nave-port-" + dev})
		if err != nil {
			unlock()
			if errors.Is(err, unix.EADDRINUSE) {
				return nil, fmt.Errorf("gateway: another naved has the port %s; stop it first, or give this one other ports", dev)
			}
			return nil, fmt.Errorf("gateway: lock port %s: %w", dev, err)
		}
		held = append(held, l)
	}
	return unlock, nil
}
