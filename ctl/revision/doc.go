// Package revision is what is known of a router's configuration while it runs: what runs, what ran before, what each user is editing, and what is undone by itself if nobody
// confirms it. It has no clock, no file and no goroutine.
//
// A change has two steps, because the box may refuse it: a method of Book makes a Plan, which says what there is to say of the change and whether it is refused; who runs the box
// carries it out and calls Ran. Nothing that a Plan says has happened before that.
//
//	book.go       the revisions, and how one follows another
//	line.go       one line, applied at once or to a candidate
//	candidate.go  what a user is editing, and its commit
//	confirm.go    a change that waits to be confirmed
//	saved.go      what outlives the process
//
// # What is refused, and when
//
// A line that is not understood changes nothing. A line that is understood and leaves something unfinished (a tunnel that names a profile which is not there yet) is taken with a
// warning, because configurations are typed in some order: what is unfinished does not work until it is finished. Refused is a line that would take something away from
// another part that works: an address or a network, a VLAN, a route distinguisher or an AS that another has in the same table. A tunnel that
// can't run beside another is taken and kept down (config.Config.Hold).
// A whole configuration (a commit, a reload, writing to the file) is refused unless it checks.
package revision
