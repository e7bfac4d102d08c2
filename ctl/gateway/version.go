package gateway

import "runtime/debug"

// Version is nave's version, with the commit it was built from where the build knows it.
var Version = version()

const release = "0.1"

func version() string {
	v := "nave " + release
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " (" + s.Value[:12] + ")"
		}
	}
	return v
}
