// Package ikev2msg reads and writes the payloads of IKEv2 (RFC 7296 section 3).
//
//	types.go    numbers of exchanges, payloads, notifications, transforms
//	message.go  a message: header and payloads, in clear or around one Encrypted payload
//	sa.go       proposals and transforms
//	payload.go  the payloads with fields of their own
//	notify.go   notifications and deletes
//	ts.go       traffic selectors
//
// A payload is a value with an Append and a Parse function. What Parse returns refers to the bytes that it was given. Errors wrap
// ikemsg.ErrShort or ErrSyntax; nothing here panics, whatever the bytes.
package ikev2msg
