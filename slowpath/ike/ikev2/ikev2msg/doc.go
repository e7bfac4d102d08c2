// Package ikev2msg reads and writes the payloads of IKEv2 (RFC 7296).
package ikev2msg
