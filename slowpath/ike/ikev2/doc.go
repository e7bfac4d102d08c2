// Package ikev2 is version 2 of IKE (RFC 7296) as an ike.Engine.
package ikev2
