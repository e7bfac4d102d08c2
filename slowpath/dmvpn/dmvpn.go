// Package dmvpn keeps the sessions of protected tunnels: for each peer NHRP entry, crypto socket, IKE and IPsec SAs, brought up and down together.
package dmvpn
