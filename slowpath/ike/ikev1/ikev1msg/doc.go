// Package ikev1msg reads and writes the payloads of IKEv1 (RFC 2407, 2408, 2409).
package ikev1msg
