//go:build !race

package eigrp

const racing = false
