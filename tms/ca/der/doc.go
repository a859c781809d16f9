// Package der owns the bytes of what a certificate authority signs: names, subject public keys,
// extensions, and the part of a certificate that is signed (TBSCertificate), as DER.
//
// It must not know what a profile is, which key signs, or what is on record. It has no clock and
// no source of randomness. crypto/x509 encodes and signs in one go; here both are apart, so that
// the very bytes that were checked and recorded are what is signed afterwards.
package der
