package show

import (
	"fmt"
	"strings"
)

// processesJSON is the same as values.
func (s *Status) processesJSON() any {
	list := make([]map[string]any, 0, len(s.Workers))
	for _, w := range s.Workers {
		row := map[string]any{"worker": w.Worker, "restarts": w.Restarts, "started_by": "this daemon"}
		if w.PID != 0 {
			row["pid"], row["started"] = w.PID, w.Started
		}
		if w.CPU >= 0 {
			row["cpu"] = w.CPU
		}
		if w.Adopted {
			row["started_by"] = "daemon before"
		}
		list = append(list, row)
	}
	return list
}

// Processes is `show processes`: the workers' processes.
func Processes(s *Status) string {
	if len(s.Workers) == 0 {
		return "The workers are threads of the daemon\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-7s %8s %4s %-20s %8s  %s\n", "Worker", "PID", "CPU", "Since", "Restarts", "Started by")
	for _, w := range s.Workers {
		pid, cpu, since, by := "-", "any", "-", "this daemon"
		if w.PID != 0 {
			pid, since = fmt.Sprint(w.PID), w.Started.UTC().Format("2006-01-02 15:04:05")
		}
		if w.CPU >= 0 {
			cpu = fmt.Sprint(w.CPU)
		}
		if w.Adopted {
			by = "the daemon before"
		}
		fmt.Fprintf(&b, "%-7d %8s %4s %-20s %8d  %s\n", w.Worker, pid, cpu, since, w.Restarts, by)
	}
	return b.String()
}
