// Package pin ties a worker to a CPU.
package pin

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Thread locks the calling goroutine to its thread and the thread to cpu (from 0). The function that it returns undoes both.
func Thread(cpu int) (undo func(), err error) {
	runtime.LockOSThread()
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("pin: read the thread's CPUs: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("pin: tie the thread to CPU %d (is there one?): %w", cpu, err)
	}
	return func() {
		// A thread that keeps the mask would pin whatever runs on it next: leave it locked, so that it ends with its goroutine.
		if unix.SchedSetaffinity(0, &old) == nil {
			runtime.UnlockOSThread()
		}
	}, nil
}

// Process ties all threads of the process, and those they start later, to cpu. A worker that has a process to itself is
// pinned so: its goroutine need not be locked to a thread, which the scheduler would punish.
func Process(cpu int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("pin: list threads: %w", err)
	}
	var one unix.CPUSet
	one.Set(cpu)
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(tid, &one); err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin: tie thread %d to CPU %d (is there one?): %w", tid, cpu, err)
		}
	}
	return nil
}
