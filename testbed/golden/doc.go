// Package golden reads captures of real routers for tests: what is on the wire there is what nave must read and write.
package golden
