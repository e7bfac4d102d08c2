package daemon

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nave/ctl/config"
	"nave/ctl/revision"
)

// revisionStore is a folder of the run directory with the revisions, for the naved that comes after this one. It has keys: only root may read it.
type revisionStore struct {
	folder string
	lock   *os.File // held as long as this naved lives
	on     map[int]*config.Config
	state  storedState
}

// storedState is what is stored beside the texts.
type storedState struct {
	revision.Saved
	Boot    string    `json:"boot"`    // of the machine, which a run directory on disk may outlive
	Clean   bool      `json:"clean"`   // naved was stopped, and did not die
	Startup string    `json:"startup"` // sum of the file that it started with, as it was read or written last
	Started time.Time `json:"started"`
	Resumed bool      `json:"resumed"` // it began with what ran, and not with the file
}

// openRevisions opens the store. One that another naved has, or that can't be written, is nil: then nothing is kept.
func openRevisions(runDir string, log *slog.Logger) *revisionStore {
	s := &revisionStore{folder: filepath.Join(runDir, "revisions"), on: make(map[int]*config.Config)}
	err := os.MkdirAll(s.folder, 0o700)
	if err == nil {
		s.lock, err = os.OpenFile(filepath.Join(s.folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	}
	if err == nil {
		err = unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		log.Warn("revisions of the configuration are not kept for the next start", "folder", s.folder, "error", err)
		if s.lock != nil {
			s.lock.Close()
		}
		return nil
	}
	return s
}

func (s *revisionStore) close() {
	if s != nil {
		s.lock.Close()
	}
}

// read is what the naved before has left; false if it has left nothing.
func (s *revisionStore) read() (storedState, bool) {
	var st storedState
	if s == nil {
		return st, false
	}
	b, err := os.ReadFile(filepath.Join(s.folder, "state.json"))
	if err != nil || json.Unmarshal(b, &st) != nil {
		return storedState{}, false
	}
	return st, true
}

func (s *revisionStore) file(n int) string {
	return filepath.Join(s.folder, strconv.Itoa(n)+suffix)
}

// open makes the book of what was left.
func (s *revisionStore) open(st storedState) (*revision.Book, error) {
	return revision.Open(st.Saved, func(n int) ([]byte, error) { return os.ReadFile(s.file(n)) })
}

// save stores a book. The state names texts that are there already, so that whatever moment this ends at leaves something that can be read.
func (s *revisionStore) save(b *revision.Book) error {
	if s == nil {
		return nil
	}
	keep := make(map[int]*config.Config)
	for _, r := range b.Revisions() {
		keep[r.N] = r.Tree
		if s.on[r.N] == r.Tree {
			continue
		}
		if err := replaceFile(s.file(r.N), []byte(r.Tree.Running())); err != nil {
			return fmt.Errorf("keep revision %d: %w", r.N, err)
		}
	}
	s.state.Saved = b.Save()
	text, err := json.MarshalIndent(s.state, "", " ")
	if err != nil {
		return fmt.Errorf("keep the revisions: %w", err)
	}
	if err := replaceFile(filepath.Join(s.folder, "state.json"), append(text, '\n')); err != nil {
		return fmt.Errorf("keep the revisions: %w", err)
	}
	s.on = keep
	s.sweep(keep)
	return nil
}

// sweep removes the texts of revisions that are kept no longer.
func (s *revisionStore) sweep(keep map[int]*config.Config) {
	list, err := os.ReadDir(s.folder)
	if err != nil {
		return
	}
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if n, err := strconv.Atoi(name); ok && err == nil && keep[n] == nil {
			_ = os.Remove(s.file(n))
		}
	}
}

// replaceFile puts a text into a file of root's, all or nothing.
func replaceFile(path string, text []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path + ".new")
		return err
	}
	return os.Rename(path+".new", path)
}

// bootID tells one run of the machine from the next.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// soon is how long a naved has to have lived that went on by what ran, for the next one to try that again.
const soon = time.Minute

// newConfigurator is one that has not begun.
func newConfigurator(d *Daemon) *configurator {
	return &configurator{file: filepath.Clean(d.File), box: box{d}, log: d.log, audit: d.audit, say: d.say, kept: openRevisions(d.RunDir, d.log)}
}

// close lets the next naved have the revisions.
func (c *configurator) close() { c.kept.close() }

// firstTree is the configuration that naved begins with, and what there is to say of it.
func (c *configurator) firstTree() (*config.Config, config.Diagnostics, error) {
	file, found, failed := load(c.file)
	now := time.Now()
	tree, err := c.begin(now, file, failed)
	if err != nil {
		return nil, nil, err
	}
	if tree != file {
		found = config.CheckAt(now, tree)
	}
	return tree, found, nil
}

// begin chooses what naved begins with, of the file as it was read, or why it was not (failed). That is the file, as long as naved was stopped and not killed. One that died leaves workers that forward on, with sessions that
// stand on what ran: so the next one goes on by that, or by what ran before a change that nobody had confirmed, unless the file was changed meanwhile, which somebody then means
// to have. A file that can't be used is no reason to end what runs. One that has just died of what it went on by is not
// followed in that, if there is a file to go by.
func (c *configurator) begin(now time.Time, tree *config.Config, failed error) (*config.Config, error) {
	left, ok := c.kept.read()
	sum, _ := sumOf(c.file)
	startup := hex.EncodeToString(sum[:])
	c.startup = sum
	state := storedState{Boot: bootID(), Startup: startup, Started: now}
	defer func() {
		if c.kept != nil && c.book != nil {
			c.kept.state = state
			c.keep()
		}
	}()
	if ok {
		book, err := c.kept.open(left)
		if err != nil {
			c.log.Warn("revisions of the configuration are lost", "error", err)
		} else {
			c.book = book
		}
	}
	if c.book == nil {
		if failed == nil {
			c.book = revision.New(now, "start", tree)
		}
		return tree, failed
	}
	died := !left.Clean && left.Boot == state.Boot && left.Boot != ""
	again := left.Resumed && now.Sub(left.Started) < soon
	if died && (failed != nil || !again && left.Startup == startup) {
		waits := c.book.Pending()
		plan := c.book.Resume()
		if failed != nil {
			c.log.Error("the configuration file can't be used: naved goes on by what ran", "error", failed)
		}
		switch {
		case failed == nil && plan.Tree.Equal(tree):
		case waits != nil:
			state.Resumed = true
			c.log.Error("naved died before a change was confirmed: it is undone", "revision", c.book.Running().N, "back to", waits.Back)
			c.book.Ran(now, plan, changes(plan.Before, plan.Tree))
			return plan.Tree, nil
		default:
			state.Resumed = true
			c.log.Warn("naved died: it goes on by what ran, which is not what it starts with: `show configuration diff startup` shows the difference, `reload` takes the file",
				"revision", c.book.Running().N)
			return plan.Tree, nil
		}
	}
	if failed != nil {
		c.book = nil
		return nil, failed
	}
	c.book.Started(now, "start", changes(c.book.Running().Tree, tree), tree)
	return tree, nil
}

// keep stores the book for the next naved.
func (c *configurator) keep() {
	if err := c.kept.save(c.book); err != nil {
		c.log.Error("revisions of the configuration are not kept for the next start", "error", err)
	}
}

// ended notes that naved was stopped, so that the next one starts by the file.
func (c *configurator) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.disarm()
	run := c.book.Running()
	if file, _, err := load(c.file); err == nil && !file.Equal(run.Tree) {
		c.log.Warn("what ran was not saved: the next start is by the file; `show configuration revisions` lists what ran then", "config", c.file, "revision", run.N)
	}
	if c.kept != nil {
		c.kept.state.Clean = true
		c.keep()
	}
}
