package daemon

import (
	"fmt"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/show"
)

// Text implements api.Config.
func (c *configurator) Text(who *api.Caller, what api.ConfigText) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	run := c.book.Running().Tree
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
	case api.TextCandidate:
		tree, err := c.book.Candidate(who.Name)
		if err != nil {
			return "", err
		}
		return masked(tree, what.Section)
	case api.TextDiff:
		if what.N != 0 {
			r, err := c.book.Revision(what.N)
			if err != nil {
				return "", err
			}
			return config.DiffText(r.Tree, run), nil
		}
		tree, err := c.book.Candidate(who.Name)
		if err != nil {
			return "", err
		}
		return config.DiffText(run, tree), nil
	case api.TextRevision:
		r, err := c.book.Revision(what.N)
		if err != nil {
			return "", err
		}
		return masked(r.Tree, what.Section)
	case api.TextRevisions:
		return c.revisionList(what.JSON)
	}
	return "", fmt.Errorf("no configuration is called %q", what.What)
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
