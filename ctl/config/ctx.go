package config

import (
	"fmt"
	"net/netip"
	"time"

	"nave/ctl/config/grammar"
)

// ctx is a matched command on its way into the tree. The short accessors (str, num, addr, dur, secret, on) return
// the zero value for a `no` or `default` form, so that one assignment serves both; the embedded Match always returns
// what stands in the line.
type ctx struct {
	*grammar.Match
	p         *parser
	cfg       *Config
	op        op
	pos       Pos
	spec      *spec
	ignoredAt int // index in Config.Ignored of a command without effect
}

func (x *ctx) top() *frame { return &x.p.stack[len(x.p.stack)-1] }

// on tells whether the command is given without `no` or `default`.
func (x *ctx) on() bool { return x.op == opSet }

// off tells whether it is given with `no`: for what is on by default.
func (x *ctx) off() bool { return x.op == opNo }

func (x *ctx) toggle() Toggle { return [...]Toggle{opSet: On, opNo: Off, opDefault: Unset}[x.op] }

// offOnly is toggle for what is on by default and need not be written.
func (x *ctx) offOnly() Toggle {
	if x.off() {
		return Off
	}
	return Unset
}

func (x *ctx) str(name string) string {
	if !x.on() {
		return ""
	}
	return x.Text(name)
}

func (x *ctx) secret(name string) Secret { return Secret(x.str(name)) }

func (x *ctx) num(name string) int {
	if !x.on() {
		return 0
	}
	return int(x.Uint(name))
}

func (x *ctx) dur(name string) time.Duration { return time.Duration(x.num(name)) * time.Second }

func (x *ctx) addr(name string) netip.Addr {
	if !x.on() {
		return netip.Addr{}
	}
	return x.IP(name)
}

func (x *ctx) has(keyword string) bool { return x.on() && x.Has(keyword) }

func (x *ctx) report(s Severity, code, message, action string) {
	x.p.report(x.pos, s, code, message, action)
}

// bad reports a value that the grammar alone could not refuse.
func (x *ctx) bad(action, format string, args ...any) {
	x.report(Error, CodeBadValue, fmt.Sprintf(format, args...), action)
}

// push enters a mode.
func (x *ctx) push(m modeID, obj any, lines *Lines) *frame {
	x.p.stack = append(x.p.stack, frame{mode: m, obj: obj, lines: lines, enter: x.Canonical})
	return x.top()
}

// leave goes back to the mode around.
func (x *ctx) leave() { x.p.pop(1) }

// prefix reads an address and a mask as a network; it reports host bits.
func (x *ctx) network(addr, mask string) (netip.Prefix, bool) {
	bits, _ := grammar.MaskBits(x.Text(mask))
	p := netip.PrefixFrom(x.IP(addr), bits)
	if p != p.Masked() {
		x.bad(fmt.Sprintf("did you mean %s?", p.Masked().Addr()), "%s is not a network of mask %s", x.Text(addr), x.Text(mask))
		return p, false
	}
	return p, true
}

func (x *ctx) rd(name string) RD {
	r, _ := parseRD(x.Text(name))
	return r
}

// named finds an element by its name and makes it where it is missing.
func named[T any](list *[]*T, name string, nameOf func(*T) string, build func() *T) *T {
	for _, e := range *list {
		if nameOf(e) == name {
			return e
		}
	}
	e := build()
	*list = append(*list, e)
	return e
}

// remove deletes the elements that hit matches and tells whether there were any.
func remove[T any](list *[]T, hit func(T) bool) bool {
	var out []T
	for _, e := range *list {
		if !hit(e) {
			out = append(out, e)
		}
	}
	found := len(out) != len(*list)
	*list = out
	return found
}

// put replaces the element that same matches, else appends.
func put[T any](list *[]T, v T, same func(T) bool) {
	for i, e := range *list {
		if same(e) {
			(*list)[i] = v
			return
		}
	}
	*list = append(*list, v)
}

// update does put for a plain command and remove for its `no` form.
func update[T any](x *ctx, list *[]T, v T, same func(T) bool) {
	if x.on() {
		put(list, v, same)
		return
	}
	remove(list, same)
}

// equals makes a predicate of a value.
func equals[T comparable](v T) func(T) bool { return func(o T) bool { return o == v } }
