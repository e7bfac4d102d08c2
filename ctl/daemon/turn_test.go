package daemon

import (
	"sync/atomic"
	"testing"
	"time"
)

// However often somebody asks while it runs, it runs once more; who asks does not wait.
func TestInTurn(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	var at, most, times atomic.Int32
	ask := inTurn(func() {
		most.Store(max(most.Load(), at.Add(1)))
		times.Add(1)
		began <- struct{}{}
		<-goOn
		at.Add(-1)
	})
	wait := func(c chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(30 * time.Second):
			t.Fatal("nothing happens")
		}
	}
	ask()
	wait(began)
	for range 5 {
		ask()
	}
	goOn <- struct{}{}
	wait(began)
	goOn <- struct{}{}
	for deadline := time.Now().Add(30 * time.Second); at.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not end")
		}
	}
	ask() // and again, when nobody has asked for some time
	wait(began)
	goOn <- struct{}{}
	if most.Load() != 1 || times.Load() != 3 {
		t.Errorf("%d at once, %d times", most.Load(), times.Load())
	}
}
