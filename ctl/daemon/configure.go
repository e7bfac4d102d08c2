package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/gateway"
	"nave/ctl/hardware"
	"nave/ctl/revision"
	"nave/ctl/show"
	"nave/hwprofiles"
)

// self is who changes what nobody asks for by the socket: SIGHUP, a commit that was not confirmed.
var self = &api.Caller{Name: "naved", Change: true}

// retryUndo is how long after it failed the undoing of a change is tried again.
const retryUndo = 10 * time.Second

// configurator is the configuration while naved runs. It implements api.Config.
type configurator struct {
	file  string // what naved starts with
	box   configured
	log   *slog.Logger
	audit func(who *api.Caller, what string, err error)
	say   func(severity int, text string, attrs ...slog.Attr)

	mu      sync.Mutex // what changes something comes one by one
	book    *revision.Book
	kept    *revisionStore // of the book, for the next naved; nil: nothing is kept
	startup fileSum        // of the file, as it was read or written last
	undo    *time.Timer    // for what waits to be confirmed
	over    bool           // naved ends: nothing is changed any more
}

// configured is what runs by a configuration.
type configured interface {
	// Configure runs by another one. An error that is gateway.ErrPartly is about parts of it.
	Configure(*config.Config) error
	// problems are what is configured and not carried out.
	problems() []show.Problem
	// findings logs what there is to say of a configuration.
	findings(*config.Config, config.Diagnostics)
	// advice is what the emulated hardware would do with a configuration.
	advice(*config.Config) config.Diagnostics
	// notify tells the service manager.
	notify(state string)
}

// box is the daemon as what runs by a configuration.
type box struct{ *Daemon }

// Configure implements configured.
func (b box) Configure(tree *config.Config) error {
	err := b.gw.Configure(tree)
	if err == nil || errors.Is(err, gateway.ErrPartly) {
		b.logBy(tree)
	}
	return err
}

// advice implements configured.
func (b box) advice(tree *config.Config) config.Diagnostics {
	var profile *hwprofiles.Profile
	b.gw.Do(func(_ time.Time, c *gateway.Core) { profile = c.Hardware() })
	return hardware.Findings(profile, tree)
}

// Edit implements api.Config.
func (c *configurator) Edit(who *api.Caller, e api.Edit) (api.Edited, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return api.Edited{}, errStopping
	}
	now := time.Now()
	if e.Candidate {
		l, err := c.book.CandidateLine(now, who.Name, e.Path, e.Line)
		if err != nil {
			return api.Edited{}, err
		}
		return edited(l), nil
	}
	l, err := c.book.Line(now, who.Name, e.Path, e.Line)
	if err != nil {
		return api.Edited{}, err
	}
	done := edited(l)
	said := strings.Join(append(l.At, l.Shown), " / ")
	switch {
	case l.Refused:
		c.audit(who, said, errors.New(firstCode(l.Findings)))
	case l.Changes():
		before := c.box.problems()
		partly, err := c.run(now, l.Plan)
		c.audit(who, said, errors.Join(err, partly))
		if err != nil {
			return api.Edited{}, err
		}
		done.Partly = textOf(partly)
		for _, f := range revision.News(c.box.advice(l.Before), c.box.advice(l.Tree)) {
			f.File, f.Line, f.Severity = "", 0, min(f.Severity, config.Warning)
			done.Findings = append(done.Findings, f.String())
		}
		for _, p := range newProblems(before, c.box.problems()) {
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

// onlyErrors are the findings for which something is refused.
func onlyErrors(list config.Diagnostics) (out config.Diagnostics) {
	for _, f := range list {
		if f.Severity == config.Error {
			out = append(out, f)
		}
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
func (c *configurator) run(now time.Time, p *revision.Plan) (partly, err error) {
	if p.Tree == nil {
		c.book.Ran(now, p, "")
		c.keep()
		c.arm()
		return nil, nil
	}
	if c.book.Brace(now, p) {
		c.keep() // before it runs: it may be what naved dies of
	}
	err = c.box.Configure(p.Tree)
	if err != nil && !errors.Is(err, gateway.ErrPartly) {
		// What it has of the new one it would try again with the next link that comes up.
		if back := c.box.Configure(p.Before); back != nil && !errors.Is(back, gateway.ErrPartly) {
			err = errors.Join(err, fmt.Errorf("going back: %w", back))
		}
		c.book.Unbrace(p)
		c.keep()
		return nil, fmt.Errorf("the running configuration stands: %w", err)
	}
	last := c.book.Running().N
	words := changes(c.book.Base(now, p), p.Tree)
	if r := c.book.Ran(now, p, words); r.N != last {
		c.say(5, show.ConfigChanged(r.User, r.How, r.N, words))
	}
	c.keep()
	c.arm()
	return err, nil
}

// arm sets the timer of what is undone if it is not confirmed.
func (c *configurator) arm() {
	c.disarm()
	if p := c.book.Pending(); p != nil {
		c.undo = time.AfterFunc(max(0, time.Until(p.Until)), c.expire)
	}
}

func (c *configurator) disarm() {
	if c.undo != nil {
		c.undo.Stop()
		c.undo = nil
	}
}

// expire undoes what nobody has confirmed in time.
func (c *configurator) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.undo == nil { // naved ends
		return
	}
	now := time.Now()
	plan := c.book.Expired(now)
	if plan == nil {
		c.arm()
		return
	}
	partly, err := c.run(now, plan)
	if err != nil {
		c.log.Error("a change that was not confirmed could not be undone: it is tried again", "error", err)
		c.undo = time.AfterFunc(retryUndo, c.expire)
		return
	}
	c.say(4, show.Unconfirmed(c.book.Running().N))
	if partly != nil {
		c.log.Error("a change that was not confirmed was undone, with faults", "error", partly)
	}
}

// Act implements api.Config.
func (c *configurator) Act(who *api.Caller, a api.ConfigAction) (done api.ConfigDone, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return done, errStopping
	}
	now := time.Now()
	if err := revision.Minutes(a.Minutes); err != nil {
		return done, err
	}
	switch a.What {
	case api.ActBegin:
		c.book.Begin(who.Name)
		return done, nil
	case api.ActAbandon:
		return done, c.book.Abandon(who.Name)
	case api.ActRollback:
		if !a.Now {
			return done, c.book.Take(who.Name, a.N)
		}
	case api.ActReload:
		done, err = c.replace(who, a)
		c.audit(who, a.String(), errors.Join(err, refusal(done)))
		return done, err
	}
	done, err = c.act(now, who, a)
	if !errors.Is(err, revision.ErrNothing) {
		c.audit(who, a.String(), errors.Join(err, refusal(done)))
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
func (c *configurator) act(now time.Time, who *api.Caller, a api.ConfigAction) (done api.ConfigDone, err error) {
	var plan *revision.Plan
	switch a.What {
	case api.ActCommit:
		plan, err = c.book.Commit(now, who.Name, a.Minutes)
	case api.ActConfirm:
		plan, err = c.book.Confirm(who.Name)
	case api.ActRollback:
		plan, err = c.book.Rollback(now, who.Name, a.N, a.Minutes)
	case api.ActMerge:
		var path string
		var text []byte
		if path, err = c.fileOf(who, a.File); err == nil {
			text, err = readConfig(who, path)
		}
		if err == nil {
			plan, err = c.book.Merge(now, who.Name, a.String(), path, text)
		}
	case api.ActWrite, api.ActCopy:
		return c.write(now, who, a)
	default:
		err = fmt.Errorf("nothing is called %q that could be done to a configuration", a.What)
	}
	if err != nil {
		return done, err
	}
	return c.carryOut(now, plan)
}

// carryOut runs a plan and says what came of it.
func (c *configurator) carryOut(now time.Time, plan *revision.Plan) (done api.ConfigDone, err error) {
	if plan.Refused {
		return api.ConfigDone{Refused: true, Findings: findingTexts(onlyErrors(plan.Findings))}, nil
	}
	done.Findings = findingTexts(revision.News(config.CheckAt(now, plan.Before), plan.Findings)) // what was so before is known
	var partly error
	done.Changes = "none"
	if plan.Changes() {
		done.Changes = changes(plan.Before, plan.Tree)
	}
	if partly, err = c.run(now, plan); err != nil {
		return api.ConfigDone{}, err
	}
	done.Partly, done.Revision = textOf(partly), c.book.Running().N
	if p := c.book.Pending(); p != nil {
		done.Until = p.Until
	}
	if plan.Changes() {
		c.box.findings(plan.Tree, plan.Findings)
	}
	return done, nil
}

// write puts what runs into a file.
func (c *configurator) write(now time.Time, who *api.Caller, a api.ConfigAction) (done api.ConfigDone, err error) {
	path, err := c.fileOf(who, a.File)
	if err != nil {
		return done, err
	}
	if c.book.Pending() != nil {
		return done, c.book.ErrPending()
	}
	run := c.book.Running()
	text := []byte(run.Tree.Running())
	tree, diags := config.Parse("running-config", text)
	diags = append(diags, config.CheckAt(now, tree)...)
	diags.Sort()
	if diags.HasErrors() {
		return api.ConfigDone{Findings: findingTexts(onlyErrors(diags)), Refused: true}, nil
	}
	startup := path == c.file
	if sum, ok := sumOf(path); startup && ok && sum != c.startup && !a.Force {
		return done, fmt.Errorf("%s was changed since naved read it: `show configuration diff startup` shows what is different; `write memory force` writes over it (it stays as %s~), `reload` runs by it", path, path)
	}
	if who.UID != 0 {
		if info, err := os.Lstat(path); err == nil && !startup && !info.Mode().IsRegular() {
			return done, fmt.Errorf("%s is no file that %s may write over", path, who.Name)
		}
	}
	if !startup {
		if err := guarded(filepath.Dir(path)); err != nil {
			return done, err
		}
	}
	if err := writeConfig(path, text); err != nil {
		return done, err
	}
	if startup {
		c.setStartup(sha256.Sum256(text))
	}
	return api.ConfigDone{Revision: run.N}, nil
}

// setStartup notes what the file that naved starts with is now.
func (c *configurator) setStartup(sum fileSum) {
	c.startup = sum
	if c.kept != nil {
		c.kept.state.Startup = hex.EncodeToString(sum[:])
		c.keep()
	}
}

// Reload implements api.Box.
func (d *Daemon) Reload() error { return d.conf.Reload() }

// Reload reads the configuration file again. One with errors changes nothing.
func (c *configurator) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return errStopping
	}
	done, err := c.replace(self, api.ConfigAction{What: api.ActReload})
	switch {
	case err != nil:
		return err
	case done.Partly != "":
		return errors.New(done.Partly)
	case done.Refused:
		errs := 0
		for _, f := range done.Findings {
			errs++
			fmt.Fprintln(os.Stderr, f)
		}
		return fmt.Errorf("the running configuration stands: %s has %d errors; `nave check %s` lists all it finds", c.file, errs, c.file)
	}
	return nil
}

// replace runs by a file.
func (c *configurator) replace(who *api.Caller, a api.ConfigAction) (done api.ConfigDone, err error) {
	c.box.notify(daemon.SdNotifyReloading)
	defer c.box.notify(daemon.SdNotifyReady)
	var plan *revision.Plan
	path, err := c.fileOf(who, a.File)
	var text []byte
	if err == nil {
		text, err = readConfig(who, path)
	}
	if err != nil {
		err = fmt.Errorf("the running configuration stands: %w", err)
	} else {
		now := time.Now()
		plan = c.book.Replace(now, who.Name, a.String(), path, text)
		done, err = c.carryOut(now, plan)
	}
	switch {
	case err != nil:
		c.log.Error("the configuration was not read again; the running one stands", "config", path, "error", err)
		return done, err
	case done.Refused:
		c.log.Error("the configuration was not read again; the running one stands", "config", path, "error", "it has errors")
		return done, nil
	case done.Partly != "":
		c.log.Error("the configuration was read again, with faults", "config", path, "error", done.Partly)
	default:
		c.log.Info("the configuration was read again", "config", path, "changes", done.Changes)
	}
	if path == c.file {
		c.setStartup(sha256.Sum256(text))
	}
	if config.Diff(plan.Before, plan.Tree).Fastpath {
		c.log.Warn("the workers go on as they were started: what is changed of `fastpath` takes effect when naved is restarted")
	}
	return done, nil
}
