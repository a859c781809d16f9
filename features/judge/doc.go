// Package judge holds what a certificate authority has issued against the judgement of others: zlint by
// the rules of the standards and of the community, and OpenSSL with the authority's revocation list and
// its OCSP responder, both fetched from where the certificates say. It owns which verdict goes with which
// state of a certificate. It must not know cards, or why a certificate is in its state.
package judge
