// Package ikev1 is version 1 of IKE (RFC 2409) as an ike.Engine.
package ikev1
