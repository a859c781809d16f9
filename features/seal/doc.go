// Package seal puts a detached signature on the files of a report, and tells whether they are still what
// was signed. The forms are those of other people's tools: the sums are what "sha256sum -c" checks, the
// signature over them is what "openssl dgst -sha256 -verify" checks.
//
// It owns the two files that it writes. It must not know what the others say.
package seal
