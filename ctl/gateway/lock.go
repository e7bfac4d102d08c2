package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// lockPorts takes the ports' netdevs for this Gateway.
func (g *Gateway) lockPorts() error {
	unlock, strangers, err := lock(slices.Sorted(maps.Values(g.opt.Ports)))
	if err != nil {
		return err
	}
	g.unlock = unlock
	for _, s := range strangers {
		g.opt.Log.Warn("somebody who can't run naved stands in its way; started all the same", "who", s)
	}
	return nil
}

// lock takes the netdevs for this process: a socket with an abstract name, which belongs to the network namespace and
// goes away with the process, however it ends. Anybody may take such a name, so one that a process of a user has who can't run naved here counts for nothing: strangers
// says whose they are.
func lock(netdevs []string) (unlock func(), strangers []string, err error) {
	var held []*net.UnixListener
	unlock = func() {
		for _, l := range held {
			l.Close()
		}
	}
	for _, dev := range netdevs {
		name := &net.UnixAddr{Net: "unix", Name: "@nave-port-" + dev}
		l, err := net.ListenUnix("unix", name)
		if errors.Is(err, unix.EADDRINUSE) {
			if who := stranger(name); who != "" {
				strangers = append(strangers, fmt.Sprintf("%s has the name %s, by which naveds are kept apart", who, name.Name))
				continue
			}
		}
		if err != nil {
			unlock()
			if errors.Is(err, unix.EADDRINUSE) {
				return nil, nil, fmt.Errorf("gateway: another naved has the port %s; stop it first, or give this one other ports", dev)
			}
			return nil, nil, fmt.Errorf("gateway: lock port %s: %w", dev, err)
		}
		held = append(held, l)
	}
	return unlock, strangers, nil
}

// stranger says who listens on a socket, if it is a process of a user who is neither root nor whom this process runs as.
func stranger(name *net.UnixAddr) (who string) {
	c, err := net.DialUnix("unix", nil, name)
	if err != nil {
		return ""
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return ""
	}
	_ = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil && cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
			who = fmt.Sprintf("process %d of user %d", cred.Pid, cred.Uid)
		}
	})
	return who
}
