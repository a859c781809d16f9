// Package features holds the scenarios that say, in the words of the people who use it, what
// tokenwright does. It owns the text and nothing else: steps, the card under test and the
// laboratory around it live in the folders below.
package features

import "embed"

// FS holds every feature file.
//
//go:embed *.feature
var FS embed.FS

// Promises is the table of what is promised to users and the scenarios that hold it.
//
//go:embed promises.md
var Promises string
