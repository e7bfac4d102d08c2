package ports

import (
	"fmt"
	"net"
	"testing"
)

// TestTCP: no port comes twice, each can be listened at, and another process would not get it.
func TestTCP(t *testing.T) {
	seen := map[uint16]bool{}
	for range 100 {
		p := TCP(t)
		if seen[p] {
			t.Fatalf("port %d twice", p)
		}
		seen[p] = true
		if _, err := claim(int(p)); err == nil {
			t.Errorf("port %d is given to another, too", p)
		}
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

// TestInUse: a port on which somebody listens, at whatever address, is not given, and its name is free for whoever comes when that is over.
func TestInUse(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.7:0")
	if err != nil {
		t.Fatal(err)
	}
	p := l.Addr().(*net.TCPAddr).Port
	if _, err := claim(p); err == nil {
		t.Error("it was given")
	}
	l.Close()
	name, err := net.Listen("unix", fmt.Sprintf("@nave-test-port-%d", p))
	if err != nil {
		t.Fatal("its name is not free: ", err)
	}
	name.Close()
}
