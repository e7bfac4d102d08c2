// Package ports gives tests TCP ports that nobody else has. The tests of several packages run at the same moment, on the same loopback network: a port that was free when one of them
// looked may be another's when it is used.
package ports

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
)

// Ports to give: below those that the kernel gives to whoever dials, as Linux comes.
const first, count = 10_000, 20_000

var (
	mu    sync.Mutex
	next  = os.Getpid() * 53 // processes begin apart
	taken []net.Listener     // for as long as the process lives
)

// TCP is a port on which nothing listens at any address, and that is given to nobody else as long as this process lives.
func TCP(t testing.TB) uint16 {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	low, high := dialled()
	for range count {
		port := first + next%count
		next++
		if port >= low && port <= high {
			continue
		}
		if name, err := claim(port); err == nil {
			taken = append(taken, name)
			return uint16(port)
		}
	}
	t.Fatal("no free port")
	return 0
}

// claim takes the name of a port, which says to other tests that it is taken, in the network namespace where the port is. The port itself is left free.
func claim(port int) (net.Listener, error) {
	name, err := net.Listen("unix", fmt.Sprintf("@nave-test-port-%d", port))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", fmt.Sprintf(":%d", port))
	if err != nil {
		name.Close()
		return nil, err
	}
	l.Close()
	return name, nil
}

// dialled are the ports that the kernel gives to whoever dials.
func dialled() (low, high int) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if _, scan := fmt.Sscan(string(text), &low, &high); err != nil || scan != nil || low <= first && high >= first+count-1 {
		return 0, 0 // unknown, or there are no others
	}
	return low, high
}
