package daemon

import (
	"fmt"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/show"
)

// Text implements api.Config. What is printed is looked up under the lock and printed without: whoever may look may ask for a large one, and who changes something does not wait for that.
func (c *configurator) Text(who *api.Caller, what api.ConfigText) (string, error) {
	run, other, err := c.trees(who, what)
	if err != nil {
		return "", err
	}
	switch what.What {
	case api.TextRunning:
		return masked(run, what.Section)
	case api.TextStartup:
		tree, errs, err := c.readStartup()
		if err != nil {
			return "", err
		}
		text, err := masked(tree, what.Section)
		return text + show.NotUnderstood(c.file, errs), err
	case api.TextDiffStartup:
		tree, errs, err := c.readStartup()
		if err != nil {
			return "", err
		}
		return config.DiffText(tree, run) + show.NotUnderstood(c.file, errs), nil
	case api.TextCandidate, api.TextRevision:
		return masked(other, what.Section)
	case api.TextDiff:
		if what.N != 0 {
			return config.DiffText(other, run), nil
		}
		return config.DiffText(run, other), nil
	case api.TextRevisions:
		return c.revisionList(what.JSON)
	}
	return "", fmt.Errorf("no configuration is called %q", what.What)
}

// trees are what runs and the other configuration that a text is of, the candidate or a revision, if there is one. They do not change any more: what changes makes another.
func (c *configurator) trees(who *api.Caller, what api.ConfigText) (run, other *config.Config, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	run = c.book.Running().Tree
	switch {
	case what.What == api.TextRevision, what.What == api.TextDiff && what.N != 0:
		r, err := c.book.Revision(what.N)
		return run, r.Tree, err
	case what.What == api.TextCandidate, what.What == api.TextDiff:
		other, err = c.book.Candidate(who.Name)
	}
	return run, other, err
}

// masked prints a configuration, or a section of it, with keys masked.
func masked(tree *config.Config, section string) (string, error) {
	if section == "" {
		return tree.Masked(), nil
	}
	parts := config.Section(tree.Outline(), section)
	if len(parts) == 0 {
		return "", fmt.Errorf("no line at the top of the configuration begins with %q", section)
	}
	return config.Text(parts, true), nil
}

// readStartup reads the file that naved starts with. errs is how many lines of it have errors.
func (c *configurator) readStartup() (tree *config.Config, errs int, err error) {
	text, err := readConfig(self, c.file)
	if err != nil {
		return nil, 0, err
	}
	tree, diags := config.Parse(c.file, text)
	for _, f := range diags {
		if f.Severity == config.Error {
			errs++
		}
	}
	return tree, errs, nil
}

// revisionList is what `show configuration revisions` prints.
func (c *configurator) revisionList(json bool) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := show.Revisions{}
	for _, r := range c.book.Revisions() {
		list.Revisions = append(list.Revisions, show.Revision{N: r.N, Time: r.Time, User: r.User, How: r.How, Changes: r.Changes})
	}
	list.Running = c.book.Running().N
	if p := c.book.Pending(); p != nil {
		list.Undone, list.Back = p.Until, p.Back
	}
	if json {
		return list.JSON()
	}
	return list.Text(), nil
}
