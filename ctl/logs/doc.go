// Package logs is naved's log: what is said comes in by log/slog, once, and goes to each destination that is to have it.
//
//	level.go    severities of IOS as levels of slog
//	record.go   a message: its text as IOS writes it, its fields
//	clean.go    what must not reach a terminal, or begin a line of its own
//	handler.go  slog.Handler
//	log.go      Log: takes a message and hands it out
//	settings.go what goes where; changed while it runs
//	sink.go     a destination with its queue and goroutine
//	console.go, journal.go, file.go, syslog.go, send.go  destinations
//	buffer.go, follow.go  the log in memory, and those who watch it
//	limit.go    limits: messages a second, and of events
//	status.go   what there is to know of all that
//
// Whoever says something never waits for a destination: each has a queue of bounded length, and what finds it full is counted and left out.
package logs
