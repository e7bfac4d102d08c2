package crew

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

// TestLateAnswerIsLetGo: what an answer brought that nobody waited for any more does not stay open: the queue of a socket would be taken for good.
func TestLateAnswerIsLetGo(t *testing.T) {
	a, b := connected(t)
	l := newLink(a, nil)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := b.send(reply{ID: 1}, int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	b.Close()
	<-l.down
	_ = r.SetReadDeadline(deadline(30 * time.Second))
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the descriptor is open still: %v", err)
	}
}

// TestRefusalIsHeardLate: why a worker ended the connection is the answer to what is asked after that.
func TestRefusalIsHeardLate(t *testing.T) {
	a, b := connected(t)
	l := newLink(a, nil)
	if err := b.send(reply{Error: controlled}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	<-l.down
	l.mu.Lock() // what came is put in order
	l.mu.Unlock()
	if _, err := l.ask(request{Op: opHello}, time.Minute); err != refusal(controlled) {
		t.Errorf("answered %v", err)
	}
}

// TestWhatIsWantedLast: a port changes and another goes while the process that follows a dead one is given the ports that were wanted. It has what is wanted at the end.
func TestWhatIsWantedLast(t *testing.T) {
	a, b := connected(t)
	l := newLink(a, nil)
	m := &member{crew: &Crew{done: make(chan struct{}), cfg: Config{Log: slog.New(slog.DiscardHandler)}}, found: make(map[portID]bool), changed: make(chan struct{}), link: l}
	m.crew.members = []*member{m}
	m.wanted = map[portID]wish{1: {Attach: Attach{Port: 1}, via: 1}, 2: {Attach: Attach{Port: 2}, via: 1}, 3: {Attach: Attach{Port: 3}, via: 1}}
	has := make(map[portID]int)
	first, goOn := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for k := 0; ; k++ {
			text, _, err := b.receive()
			if err != nil {
				return
			}
			var r request
			if json.Unmarshal(text, &r) != nil {
				return
			}
			if k == 0 {
				close(first)
				<-goOn
			}
			if delete(has, r.Port); r.Op == opRelay {
				has[r.Port] = r.Via
			}
			if b.send(reply{ID: r.ID}) != nil {
				return
			}
		}
	}()
	reopened := make(chan error)
	go func() { _, err := m.reopen(); reopened <- err }()
	<-first
	changed := make(chan error, 2)
	go func() { changed <- m.want(wish{Attach: Attach{Port: 2}, via: 0}) }()
	go func() { changed <- m.crew.Detach(0, 3) }()
	time.Sleep(50 * time.Millisecond) // they may well come first
	close(goOn)
	if err := <-reopened; err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-changed; err != nil {
			t.Error(err)
		}
	}
	l.c.Close()
	<-ended
	if len(has) != 2 || has[1] != 1 || has[2] != 0 {
		t.Errorf("the process has %v", has)
	}
	if left := slices.Sorted(maps.Keys(m.wanted)); !slices.Equal(left, []portID{1, 2}) {
		t.Errorf("wanted %v", left)
	}
}
