// Package catalogue reads the conformance features as a list of cases, and refuses those that do not
// say what a case has to say. It must not know how a case is run.
package catalogue

import (
	"slices"
	"strings"

	"tokenwright/features/verdict"
)

// Risk is what a case can do to a card.
type Risk int

// The classes of risk, in their order.
const (
	None         Risk = iota
	Content           // changes content or keys that are put back afterwards
	Tries             // spends authentication tries
	Irreversible      // cannot be taken back
)

var riskNames = []string{"none", "changes content", "spends tries", "irreversible"}

// String is the name of a class of risk, as reports show it.
func (r Risk) String() string { return riskNames[r] }

// Case is one scenario of the catalogue.
type Case struct {
	ID       string // such as "SEL-01"
	Title    string
	Clause   string // such as "gpcs-11.9.2.3"
	Class    verdict.Class
	Negative bool
	Risk     Risk
	// Keys says that the case changes keys, which some cards cannot put back.
	Keys bool
	// Apart says that the case belongs to a complete run only where it is asked for: quality,
	// endurance and tear cases, which take long.
	Apart   bool
	Applies string // expression over the card's capabilities
	Notes   []string
	Group   string // the feature's name
	File    string
	Line    int
	Tags    []string
	Steps   []string
}

// Matches says whether a word of a selection means this case: its identifier, the start of it before
// the hyphen, its file, or a tag with or without "@".
func (c Case) Matches(word string) bool {
	word = strings.TrimPrefix(word, "@")
	group, _, _ := strings.Cut(c.ID, "-")
	return strings.EqualFold(word, c.ID) || strings.EqualFold(word, group) ||
		word == strings.TrimSuffix(c.File, ".feature") || slices.Contains(c.Tags, "@"+word)
}

// Document names the document that a clause belongs to.
func (c Case) Document() string {
	prefix, _, _ := strings.Cut(c.Clause, "-")
	return documents[prefix]
}

// Section is the clause inside its document.
func (c Case) Section() string {
	_, section, _ := strings.Cut(c.Clause, "-")
	return section
}

// documents are the texts that cases cite, by the first part of a clause tag.
var documents = map[string]string{
	"gpcs":    "GlobalPlatform Card Specification 2.3.1",
	"gp211":   "GlobalPlatform Card Specification 2.1.1",
	"scp03":   "GlobalPlatform Card Specification 2.2 Amendment D 1.1.1",
	"op201":   "Open Platform Card Specification 2.0.1",
	"iso7816": "ISO/IEC 7816-4",
	"coolkey": "CoolKey applet",
	"tms":     "token management",
	"quality": "quality of a lot",
	"tear":    "loss of power",
}
