// Package quiet keeps libraries from speaking with the terminal before main begins.
//
// The library that draws `nave top` asks the terminal for its colours when it is initialised, whatever nave was called for, and waits five seconds for an answer that
// the terminal of a script never gives. It does not ask where it believes to be in a pipeline of continuous integration, which an environment variable says. Packages are initialised in
// the order of their import paths as far as their imports allow: this one needs nothing but os, and comes before os/exec, which that library needs. Done takes the variable away again.
package quiet

import "os"

const variable = "CI"

// ours tells that the variable is not the user's.
var ours = hush()

func hush() bool {
	if os.Getenv(variable) != "" {
		return false
	}
	return os.Setenv(variable, "nave") == nil
}

// Done takes back what was said to the libraries: they may ask from now on.
func Done() {
	if ours {
		_ = os.Unsetenv(variable) // it was there to be unset
	}
}
