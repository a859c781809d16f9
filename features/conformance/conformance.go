// Package conformance holds the catalogue of what a card must do, as features: one scenario a case,
// with the clause that it tests, its class, its risk and the cards that it applies to. The list of
// cases, the coverage table and the report are all made from these files.
//
// It owns the text and nothing else.
package conformance

import "embed"

// FS holds every feature file.
//
//go:embed *.feature
var FS embed.FS
