package ike

import (
	"crypto"
	"crypto/x509"
	"time"
)

// Trustpoint is a certificate authority that peers are checked by, and a certificate of ours that it issued.
type Trustpoint struct {
	Name  string
	Roots []*x509.Certificate // of the authority, and intermediate ones
	// Chain is our certificate, then what is between it and the roots; empty where only peers are checked.
	Chain []*x509.Certificate
	Key   crypto.Signer // of Chain[0]
	CRLs  []*x509.RevocationList
	// CheckCRL refuses what the authority revoked, and everything of an authority whose list is missing or out of date.
	CheckCRL bool
	Loaded   time.Time
}
