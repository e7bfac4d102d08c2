package crew

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/testbed/netns"
)

// movePort: a port that goes to another network namespace, and the workers and naved that die afterwards.
func movePort(t *testing.T, ns *netns.NS, dir string, b *bossProcess, tr *traffic) *bossProcess {
	vrf := netns.New(t, "vrf")
	was := b.pids(t)
	if out := b.do(t, "move "+vrf.Name); out != "<nil>" {
		t.Fatal(out)
	}
	eventually(t, "it forwards into the namespace", func() bool { return tr.flows(0) && tr.flows(1) })
	if now := b.pids(t); fmt.Sprint(now) != fmt.Sprint(was) {
		t.Errorf("workers %v, were %v: a port that moves is no reason for others", now, was)
	}
	tr.loss(t)
	if err := unix.Kill(was[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "worker 0 is back", func() bool { now := b.pids(t); return now[0] != 0 && now[0] != was[0] })
	eventually(t, "it forwards", func() bool { return tr.flows(0) })
	if lost := tr.loss(t); lost[1] != 0 {
		t.Errorf("worker 1 lost %d packets when worker 0 died", lost[1])
	}
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = b.cmd.Wait() // killed
	t.Setenv(spaceEnv, vrf.Name)
	b = startBoss(t, ns, dir)
	time.Sleep(300 * time.Millisecond)
	if lost := tr.loss(t); lost != [queues]int{} || b.do(t, "took over") != "true" {
		t.Errorf("%v packets were lost when naved died", lost)
	}
	if out := b.do(t, "move "+ns.Name); out != "<nil>" { // or it would end with the namespace
		t.Fatal(out)
	}
	eventually(t, "it forwards at home", func() bool { return tr.flows(0) && tr.flows(1) })
	return b
}

// outside is where the second port is: in a namespace of `ip netns`, or at home with the boss.
type outside struct {
	home int
	name string
}

// do runs f where the second port is.
func (o *outside) do(f func() error) error {
	if o.name == "" {
		return f()
	}
	return (&netns.NS{Name: o.name}).Do(f)
}

// find is the index of a port's netdev and the number of its namespace.
func (o *outside) find(id fib.PortID, dev string) (index int, space uint64, err error) {
	look := func() error {
		l, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		var st, home unix.Stat_t
		if err := errors.Join(unix.Stat("/proc/thread-self/ns/net", &st), unix.Fstat(o.home, &home)); err != nil {
			return err
		}
		if index = l.Index; st.Ino != home.Ino {
			space = st.Ino
		}
		return nil
	}
	if id == outPort {
		err = o.do(look)
	} else {
		err = look()
	}
	return index, space, err
}

// move takes the second port to another namespace.
func (o *outside) move(name string) error {
	err := o.do(func() error { return exec.Command("ip", "link", "set", outDev, "netns", name).Run() })
	o.name = name
	return errors.Join(err, o.do(func() error { return exec.Command("ip", "link", "set", outDev, "up").Run() }))
}
