package pin

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestThread(t *testing.T) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var before, during, after unix.CPUSet
		if err := unix.SchedGetaffinity(0, &before); err != nil {
			done <- err
			return
		}
		cpu := 0
		for !before.IsSet(cpu) {
			cpu++
		}
		undo, err := Thread(cpu)
		if err != nil {
			done <- err
			return
		}
		if err := unix.SchedGetaffinity(0, &during); err != nil || during.Count() != 1 || !during.IsSet(cpu) {
			t.Errorf("pinned to CPU %d, the thread has %d CPUs (%v)", cpu, during.Count(), err)
		}
		undo()
		if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
			t.Errorf("CPUs were not given back (%v)", err)
		}
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestNoSuchCPU(t *testing.T) {
	if _, err := Thread(1000); err == nil {
		t.Error("CPU 1000: no error")
	}
	if err := Process(1000); err == nil {
		t.Error("process on CPU 1000: no error")
	}
}

func TestProcess(t *testing.T) {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !all.IsSet(cpu) {
		cpu++
	}
	if err := Process(cpu); err != nil {
		t.Fatal(err)
	}
	if err := unix.SchedGetaffinity(unix.Getpid(), &one); err != nil || one.Count() != 1 || !one.IsSet(cpu) {
		t.Errorf("the main thread has %d CPUs (%v)", one.Count(), err)
	}
}
