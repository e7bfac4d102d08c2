package cli

import (
	"nave/ctl/config/grammar"
	"nave/ctl/show"
	"nave/hwprofiles"
)

// hwprofileCommands show hardware profiles. They need no daemon.
var hwprofileCommands = []*grammar.Command{
	{Syntax: "show hwprofiles [<profile>]", Help: "hardware profiles, or all that one says", Data: run(showHWProfiles)},
}

func showHWProfiles(s *Session, m *grammar.Match) error {
	set, err := hwprofiles.Load(s.ProfileDir)
	if err != nil {
		return err
	}
	if name := m.Text("profile"); name != "" {
		p, err := set.Profile(name)
		if err != nil {
			return err
		}
		return s.print(output{func() string { return show.HWProfile(p) }, func() ([]byte, error) { return show.HWProfileJSON(p) }})
	}
	list := set.Profiles()
	return s.print(output{func() string { return show.HWProfiles(list) }, func() ([]byte, error) { return show.HWProfilesJSON(list) }})
}
