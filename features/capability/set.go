// Package capability holds what a card can do, declared or found out, as named facts, and the
// expressions over them by which a conformance case says to which cards it applies.
//
// It is pure: the same facts and the same expression give the same answer, years later too. It must
// not know how a fact is found out.
package capability

import (
	"maps"
	"slices"
)

// Set holds facts by name. Values are "true", "false", decimal numbers or words.
type Set map[string]string

// Known lists every fact that an expression may ask for, with what it says. A fact that a run did
// not find out counts as its zero: "false", or the number 0.
var Known = map[string]string{
	"virtual":      "the card is a simulation that can be replaced: cases that destroy it may run",
	"scp":          "number of the secure channel protocol: 1, 2 or 3",
	"i":            "the i parameter of the protocol, in decimal",
	"rmac":         "the protocol protects responses by R-MAC",
	"renc":         "the protocol encrypts responses",
	"pseudorandom": "card challenges follow from a sequence counter",
	"counter":      "GET DATA 00C1 answers a sequence counter",
	"keys":         "the host has keys that open a channel",
	"kvn":          "version of the keys in use, in decimal; 255 is a factory set",
	"replaceable":  "keys can be changed and put back",
	"recognition":  "GET DATA 0066 answers card recognition data",
	"keyinfo":      "GET DATA 00E0 answers the key information template",
	"extended":     "the key information template has extended elements",
	"cplc":         "GET DATA 9F7F answers production life cycle data",
	"kdd":          "GET DATA 00CF answers key diversification data",
	"capabilities": "GET DATA 0067 answers card capability information",
	"resources":    "GET DATA FF21 answers free memory",
	"modules":      "GET STATUS 10 lists modules",
	"taglist":      "GET STATUS heeds a tag list",
	"tagged":       "GET STATUS has the form of GlobalPlatform 2.2 and later",
	"untagged":     "GET STATUS has the form of GlobalPlatform 2.1.1",
	"version":      "GlobalPlatform version as a number: 211, 221, 230; 201 without recognition data",
	"life":         "life cycle state of the card at the start, in decimal",
	"channels":     "logical channels beside the basic one that can be open",
	"t":            "transmission protocol: 0 or 1",
	"load":         "there is a load file that may go to this card, and is not there",
	"packages":     "number of load files on the card at the start",
	"apps":         "number of applications on the card at the start",
	"coolkey":      "the CoolKey applet can be put on the card",
	"appletline":   "line of the CoolKey applet: 14 or 15, 0 without one",
	"domains":      "further security domains can be made",
	"delegated":    "delegated management is supported",
	"dap":          "DAP blocks are verified",
	"receipts":     "the card makes receipts",
	"chaining":     "GlobalPlatform commands can be chained",
	"tries":        "failed authentications in a row that block the keys, where declared; 0 unknown",
}

// Names lists the known facts, sorted.
func Names() []string { return slices.Sorted(maps.Keys(Known)) }

// Bool gives a fact's value for a yes or no.
func Bool(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
