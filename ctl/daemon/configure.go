package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/gateway"
	"nave/ctl/revision"
	"nave/ctl/show"
)

// self is who changes what nobody asks for by the socket: SIGHUP, a commit that was not confirmed.
var self = &api.Caller{Name: "naved", Change: true}

// retryUndo is how long after it failed the undoing of a change is tried again.
const retryUndo = 10 * time.Second

// Edit implements api.Config.
func (d *Daemon) Edit(who *api.Caller, e api.Edit) (api.Edited, error) {
	d.loading.Lock()
	defer d.loading.Unlock()
	now := time.Now()
	if e.Candidate {
		l, err := d.book.CandidateLine(now, who.Name, e.Path, e.Line)
		if err != nil {
			return api.Edited{}, err
		}
		return edited(l), nil
	}
	l, err := d.book.Line(now, who.Name, e.Path, e.Line)
	if err != nil {
		return api.Edited{}, err
	}
	done := edited(l)
	said := strings.Join(append(l.At, l.Shown), " / ")
	switch {
	case l.Refused:
		d.audit(who, said, errors.New(firstCode(l.Findings)))
	case l.Changes():
		before := d.problems()
		partly, err := d.run(now, l.Plan)
		d.audit(who, said, errors.Join(err, partly))
		if err != nil {
			return api.Edited{}, err
		}
		done.Partly = textOf(partly)
		for _, p := range newProblems(before, d.problems()) {
			done.Findings = append(done.Findings, show.NotCarriedOut(p))
		}
	}
	return done, nil
}

// edited is a line that was read, for the API.
func edited(l *revision.Line) api.Edited {
	return api.Edited{Line: l.Shown, Path: l.Path, Mode: l.Mode, Refused: l.Refused, Column: l.Column, Findings: findingTexts(l.Findings)}
}

func findingTexts(list config.Diagnostics) (out []string) {
	for _, f := range list {
		out = append(out, f.String())
	}
	return out
}

// firstCode names the first error, without words of the line, among which there might be a key.
func firstCode(list config.Diagnostics) string {
	for _, f := range list {
		if f.Severity == config.Error {
			return f.Code
		}
	}
	return "refused"
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// newProblems are those that were not there before.
func newProblems(before, after []show.Problem) (out []show.Problem) {
	was := make(map[show.Problem]bool)
	for _, p := range before {
		was[p] = true
	}
	for _, p := range after {
		if !was[p] {
			out = append(out, p)
		}
	}
	return out
}

// run carries out a plan. partly is what the box refused of what runs now; with err nothing has changed.
func (d *Daemon) run(now time.Time, p *revision.Plan) (partly, err error) {
	if p.Tree == nil {
		d.book.Ran(now, p, "")
		d.keep()
		d.arm()
		return nil, nil
	}
	if d.book.Brace(now, p) {
		d.keep() // before it runs: it may be what naved dies of
	}
	err = d.gw.Configure(p.Tree)
	if err != nil && !errors.Is(err, gateway.ErrPartly) {
		d.book.Unbrace(p)
		d.keep()
		return nil, fmt.Errorf("the running configuration stands: %w", err)
	}
	d.gw.Do(func(time.Time, *gateway.Core) { d.limit.follow(p.Tree.Logging.DMVPNInterval) })
	last := d.book.Running().N
	words := changes(d.book.Base(now, p), p.Tree)
	if r := d.book.Ran(now, p, words); r.N != last {
		d.say(5, show.ConfigChanged(r.User, r.How, r.N, words))
	}
	d.keep()
	d.arm()
	return err, nil
}

// arm sets the timer of what is undone if it is not confirmed.
func (d *Daemon) arm() {
	d.disarm()
	if p := d.book.Pending(); p != nil {
		d.undo = time.AfterFunc(max(0, time.Until(p.Until)), d.expire)
	}
}

func (d *Daemon) disarm() {
	if d.undo != nil {
		d.undo.Stop()
		d.undo = nil
	}
}

// expire undoes what nobody has confirmed in time.
func (d *Daemon) expire() {
	d.loading.Lock()
	defer d.loading.Unlock()
	if d.undo == nil { // naved ends
		return
	}
	now := time.Now()
	plan := d.book.Expired(now)
	if plan == nil {
		d.arm()
		return
	}
	partly, err := d.run(now, plan)
	if err != nil {
		d.log.Error("a change that was not confirmed could not be undone: it is tried again", "error", err)
		d.undo = time.AfterFunc(retryUndo, d.expire)
		return
	}
	d.say(4, show.Unconfirmed(d.book.Running().N))
	if partly != nil {
		d.log.Error("a change that was not confirmed was undone, with faults", "error", partly)
	}
}

// Act implements api.Config.
func (d *Daemon) Act(who *api.Caller, a api.ConfigAction) (done api.ConfigDone, err error) {
	d.loading.Lock()
	defer d.loading.Unlock()
	now := time.Now()
	if err := revision.Minutes(a.Minutes); err != nil {
		return done, err
	}
	switch a.What {
	case api.ActBegin:
		d.book.Begin(who.Name)
		return done, nil
	case api.ActAbandon:
		return done, d.book.Abandon(who.Name)
	case api.ActRollback:
		if !a.Now {
			return done, d.book.Take(who.Name, a.N)
		}
	case api.ActReload:
		done, err = d.replace(who, a)
		d.audit(who, a.String(), errors.Join(err, refusal(done)))
		return done, err
	}
	done, err = d.act(now, who, a)
	if !errors.Is(err, revision.ErrNothing) {
		d.audit(who, a.String(), errors.Join(err, refusal(done)))
	}
	return done, err
}

// refusal is an error if something was refused because of findings.
func refusal(done api.ConfigDone) error {
	if done.Refused {
		return errors.New("it has errors")
	}
	return nil
}

// act does what changes what runs, or a file.
func (d *Daemon) act(now time.Time, who *api.Caller, a api.ConfigAction) (done api.ConfigDone, err error) {
	var plan *revision.Plan
	switch a.What {
	case api.ActCommit:
		plan, err = d.book.Commit(now, who.Name, a.Minutes)
	case api.ActConfirm:
		plan, err = d.book.Confirm(who.Name)
	case api.ActRollback:
		plan, err = d.book.Rollback(now, who.Name, a.N, a.Minutes)
	case api.ActMerge:
		var path string
		var text []byte
		if path, err = d.fileOf(who, a.File); err == nil {
			text, err = readConfig(who, path)
		}
		if err == nil {
			plan, err = d.book.Merge(now, who.Name, a.String(), path, text)
		}
	case api.ActWrite, api.ActCopy:
		return d.write(now, who, a)
	default:
		err = fmt.Errorf("nothing is called %q that could be done to a configuration", a.What)
	}
	if err != nil {
		return done, err
	}
	return d.carryOut(now, plan)
}

// carryOut runs a plan and says what came of it.
func (d *Daemon) carryOut(now time.Time, plan *revision.Plan) (done api.ConfigDone, err error) {
	done.Findings, done.Refused = findingTexts(plan.Findings), plan.Refused
	if plan.Refused {
		return done, nil
	}
	var partly error
	done.Changes = "none"
	if plan.Changes() {
		done.Changes = changes(plan.Before, plan.Tree)
	}
	if partly, err = d.run(now, plan); err != nil {
		return api.ConfigDone{}, err
	}
	done.Partly, done.Revision = textOf(partly), d.book.Running().N
	if p := d.book.Pending(); p != nil {
		done.Until = p.Until
	}
	if plan.Changes() {
		d.findings(plan.Tree, plan.Findings)
	}
	return done, nil
}

// write puts what runs into a file.
func (d *Daemon) write(now time.Time, who *api.Caller, a api.ConfigAction) (done api.ConfigDone, err error) {
	path, err := d.fileOf(who, a.File)
	if err != nil {
		return done, err
	}
	if d.book.Pending() != nil {
		return done, d.book.ErrPending()
	}
	run := d.book.Running()
	text := []byte(run.Tree.Running())
	tree, diags := config.Parse("running-config", text)
	diags = append(diags, config.CheckAt(now, tree)...)
	diags.Sort()
	if diags.HasErrors() {
		return api.ConfigDone{Findings: findingTexts(diags), Refused: true}, nil
	}
	startup := path == d.File
	if sum, ok := sumOf(path); startup && ok && sum != d.startup && !a.Force {
		return done, fmt.Errorf("%s was changed since naved read it: `show configuration diff startup` shows what is different; `write memory force` writes over it (it stays as %s~), `reload` runs by it", path, path)
	}
	if who.UID != 0 {
		if info, err := os.Lstat(path); err == nil && !startup && !info.Mode().IsRegular() {
			return done, fmt.Errorf("%s is no file that %s may write over", path, who.Name)
		}
	}
	if err := writeConfig(path, text); err != nil {
		return done, err
	}
	if startup {
		d.setStartup(sha256.Sum256(text))
	}
	return api.ConfigDone{Revision: run.N}, nil
}

// setStartup notes what the file that naved starts with is now.
func (d *Daemon) setStartup(sum fileSum) {
	d.startup = sum
	if d.kept != nil {
		d.kept.state.Startup = hex.EncodeToString(sum[:])
		d.keep()
	}
}

// Reload reads the configuration file again. One with errors changes nothing.
func (d *Daemon) Reload() error {
	d.loading.Lock()
	defer d.loading.Unlock()
	done, err := d.replace(self, api.ConfigAction{What: api.ActReload})
	switch {
	case err != nil:
		return err
	case done.Partly != "":
		return errors.New(done.Partly)
	case done.Refused:
		errs := 0
		for _, f := range done.Findings {
			if strings.Contains(f, " error: ") {
				errs++
				fmt.Fprintln(os.Stderr, f)
			}
		}
		return fmt.Errorf("the running configuration stands: %s has %d errors; `nave check %s` lists all it finds", d.File, errs, d.File)
	}
	return nil
}

// replace runs by a file.
func (d *Daemon) replace(who *api.Caller, a api.ConfigAction) (done api.ConfigDone, err error) {
	d.notify(daemon.SdNotifyReloading)
	defer d.notify(daemon.SdNotifyReady)
	var plan *revision.Plan
	path, err := d.fileOf(who, a.File)
	var text []byte
	if err == nil {
		text, err = readConfig(who, path)
	}
	if err == nil {
		now := time.Now()
		plan = d.book.Replace(now, who.Name, a.String(), path, text)
		done, err = d.carryOut(now, plan)
	}
	switch {
	case err != nil:
		d.log.Error("the configuration was not read again; the running one stands", "config", path, "error", err)
		return done, fmt.Errorf("the running configuration stands: %w", err)
	case done.Refused:
		d.log.Error("the configuration was not read again; the running one stands", "config", path, "error", "it has errors")
		return done, nil
	case done.Partly != "":
		d.log.Error("the configuration was read again, with faults", "config", path, "error", done.Partly)
	default:
		d.log.Info("the configuration was read again", "config", path, "changes", done.Changes)
	}
	if path == d.File {
		d.setStartup(sha256.Sum256(text))
	}
	if config.Diff(plan.Before, plan.Tree).Fastpath {
		d.log.Warn("the workers go on as they were started: what is changed of `fastpath` takes effect when naved is restarted")
	}
	return done, nil
}
