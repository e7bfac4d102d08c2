//go:build !race

package arena

func left() {}
func seen() {}
