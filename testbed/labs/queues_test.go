package labs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

// uneven is a router between a link of one queue and a link of four, with hosts of many addresses behind both.
func uneven(name, fastpath string) topo.Topology {
	config := fastpath + `
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
!
interface Ethernet1
 ip address 10.0.0.1 255.255.255.0
!
end
`
	left, right := []string{"192.0.2.9/24"}, []string{"10.0.0.9/24"}
	for i := range 16 {
		left = append(left, fmt.Sprintf("192.0.2.%d/32", 100+i))
		right = append(right, fmt.Sprintf("10.0.0.%d/32", 100+i))
	}
	return topo.Topology{
		Name: name,
		Nodes: []topo.Node{
			{Name: "r", Kind: topo.Router, Config: config},
			{Name: "h1", Kind: topo.Host, Gateway: "192.0.2.1"},
			{Name: "h2", Kind: topo.Host, Gateway: "10.0.0.1"},
		},
		Links: []topo.Link{
			{A: topo.Port{Node: "r", Dev: "eth0", Iface: "Ethernet0"}, B: topo.Port{Node: "h1", Dev: "eth0", Addrs: left}},
			{A: topo.Port{Node: "r", Dev: "eth1", Iface: "Ethernet1", Queues: 4}, B: topo.Port{Node: "h2", Dev: "eth0", Addrs: right, Queues: 4}},
		},
	}
}

// shownPorts is what the test reads of `show ports --json`.
type shownPorts struct {
	Ports []struct {
		Name     string
		HandOver bool `json:"hand_over"`
		Queues   []struct {
			Queue, Worker int
			BusyPoll      int `json:"busy_poll_us"`
		}
		Relays []struct{ Worker, Via int }
	}
	Memory []struct{ Worker int }
}

// TestUnevenQueues: ports of one queue and of four, with fewer workers than queues, as many, and in between; flows of many addresses pass both ways, in processes and
// in threads, and no packet is lost where one worker has no queue of a port or several.
func TestUnevenQueues(t *testing.T) {
	for _, c := range []struct {
		name, fastpath string
		queues         []int // of each worker, of the wide port
		relays         int   // of the narrow port
		hand           bool
	}{
		{"q1", "fastpath workers thread\nfastpath count 1", []int{4}, 0, false},
		{"q2", "fastpath workers thread\nfastpath count 2", []int{2, 2}, 1, true},
		{"q3", "fastpath workers process\nfastpath count 3\nfastpath busy-poll 20", []int{2, 1, 1}, 2, true},
		{"q4", "fastpath workers process\nfastpath spread off", []int{1, 1, 1, 1}, 3, true},
		{"q6", "fastpath workers thread\nfastpath count 6", []int{1, 1, 1, 1, 0, 0}, 5, true},
		{"q5", "fastpath workers process\nfastpath count 2\nfastpath hand-over off", []int{2, 2}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := topo.ForTest(t, uneven(c.name, c.fastpath))
			check(t, l, Ping("h1", "10.0.0.9", ""), Ping("h2", "192.0.2.9", ""))
			for i := range 8 {
				src, dst := fmt.Sprintf("192.0.2.%d", 100+i), fmt.Sprintf("10.0.0.%d", 100+i)
				check(t, l, Ping("h1", dst, src)) // both ends' neighbours are known then
				// On a busy machine ping may leave before the last answer has come: it is asked again.
				must(t, topo.Eventually(patience, func() error {
					out, err := l.Run("h1", "ping", "-n", "-q", "-c", "3", "-i", "0.1", "-W", "2", "-I", src, dst)
					if err == nil && !strings.Contains(out, " 0% packet loss") {
						err = fmt.Errorf("from %s to %s: %s", src, dst, out)
					}
					return err
				}))
			}
			var s shownPorts
			out, err := l.Nave("r", "show", "ports", "--json")
			must(t, err)
			if err := json.Unmarshal([]byte(out), &s); err != nil || len(s.Ports) != 2 {
				t.Fatalf("%v: %s", err, out)
			}
			narrow, wide := s.Ports[0], s.Ports[1]
			got := make([]int, len(c.queues))
			busy := 0
			if strings.Contains(c.fastpath, "busy-poll") {
				busy = 20
			}
			for _, q := range wide.Queues {
				got[q.Worker]++
				if q.BusyPoll != busy {
					t.Errorf("queue %d: busy polling for %d us, want %d", q.Queue, q.BusyPoll, busy)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.queues) || len(narrow.Queues) != 1 || len(narrow.Relays) != c.relays || narrow.HandOver != c.hand || len(s.Memory) != len(c.queues) {
				t.Errorf("the wide port's queues by worker: %v, want %v; the narrow one: %+v; memory %+v", got, c.queues, narrow, s.Memory)
			}
			if handed, reasons := handedOver(t, l); (handed > 0) != c.hand || len(reasons) > 0 {
				t.Errorf("%d packets were handed over; hand-over is on: %v; not forwarded: %v", handed, c.hand, reasons)
			}
			text, err := l.Nave("r", "show", "ports")
			must(t, err)
			if !strings.Contains(text, "no zero copy: operation not supported") || !strings.Contains(text, "Driver veth") {
				t.Errorf("show ports:\n%s", text)
			}
			if testing.Verbose() {
				t.Log(text)
			}
		})
	}
}

// handedOver is how many packets the workers of the router have handed over, and why packets were not forwarded, if not for want of a neighbour.
func handedOver(t *testing.T, l *topo.Lab) (n uint64, reasons map[string]uint64) {
	t.Helper()
	out, err := l.Nave("r", "show", "fastpath", "--json")
	must(t, err)
	var s struct {
		Workers []struct {
			HandedOver uint64 `json:"handed_over"`
		}
		Reasons map[string]uint64
	}
	must(t, json.Unmarshal([]byte(out), &s))
	for _, w := range s.Workers {
		n += w.HandedOver
	}
	for _, expected := range []string{"glean", "glean-waits", "local"} {
		delete(s.Reasons, expected)
	}
	return n, s.Reasons
}

// TestOwnerDies: all packets come on one queue; when the worker dies that half of the flows is handed over to, those flows go on by the others, and it has its share
// again when it is back.
func TestOwnerDies(t *testing.T) {
	top := uneven("owner", "fastpath workers process\nfastpath count 2")
	for k := range top.Links {
		top.Links[k].A.Queues, top.Links[k].B.Queues = 1, 1
	}
	l := topo.ForTest(t, top)
	ping := func(i int) error {
		_, err := l.Run("h1", "ping", "-n", "-q", "-c", "1", "-W", "1", "-I", fmt.Sprintf("192.0.2.%d", 100+i), fmt.Sprintf("10.0.0.%d", 100+i))
		return err
	}
	for i := range 12 {
		must(t, topo.Eventually(patience, func() error { return ping(i) }))
	}
	pids := workers(t, l, "r") // by their number
	if len(pids) != 2 {
		t.Fatalf("the workers are %v", pids)
	}
	must(t, unix.Kill(pids[1], unix.SIGKILL))
	for i := range 12 {
		must(t, topo.Eventually(patience, func() error { return ping(i) }))
	}
	must(t, topo.Eventually(patience, func() error {
		out, err := l.Nave("r", "show", "ports", "--json")
		if err != nil {
			return err
		}
		var s struct{ Shares []int }
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			return err
		}
		if len(s.Shares) != 2 || s.Shares[1] < 100 {
			return fmt.Errorf("shares %v", s.Shares)
		}
		return nil
	}))
	logs(t, l, "r", "a worker died")
	if n, reasons := handedOver(t, l); n == 0 || reasons["hand-over-full"] > 0 {
		t.Errorf("%d packets handed over; not forwarded: %v", n, reasons)
	}
}
