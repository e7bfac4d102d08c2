// Package shell is `nave shell`: where somebody types commands, line by line, as on the console of a router. The commands themselves are those of package cli, the lines of a
// configuration those of package config; what is here is about the session.
//
//	shell.go      Shell: the loop, what a line is, what a command says to the shell
//	mode.go       user exec, privileged exec, configuration modes, and their prompts
//	configure.go  lines of a configuration, sent to the daemon one by one
//	enable.go     the password of privileged exec
//	terminal.go   what `terminal` sets
//	misread.go    what is said of a line that is not understood
//	filter.go     what stands behind a bar: include, exclude, begin, section, count, redirect, append, tee, json
//	pager.go      --More--
//	help.go       the question mark and the tabulator: what could stand here
//	monitor.go    the log, as it is written
//	history.go    what was typed, without secrets, in memory and in a file
//	editor.go     the line editor: golang.org/x/term, with the keys of a router's console; keys.go: bytes on their way into it
//	tty.go        the terminal: raw while a line is edited, with ^C as a signal while a command runs
//	script.go     lines that come from a pipe or a file
//
// Without a terminal nothing is edited, paged or prompted for, and the first command that failed makes the exit status.
package shell
