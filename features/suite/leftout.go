package suite

import (
	"fmt"
	"maps"
	"sort"
	"strings"

	gherkin "github.com/cucumber/gherkin/go/v26"
	messages "github.com/cucumber/messages/go/v21"

	"tokenwright/features"
	"tokenwright/features/servers"
)

// leftOut lists, by kind of card, the tags whose scenarios do not run there, and why. A scenario
// that is missing for any other reason fails the run.
var leftOut = map[string]map[string]string{
	"sim": {"@programs": foreignPrograms},
	"vpcd": {
		"@programs": foreignPrograms,
		"@memory": "power fails at a write to the card's memory, which the far end of a socket " +
			"cannot place; the in-process card runs it",
		"@processes": "what processes that are killed leave does not depend on where the card is; " +
			"the in-process card runs it",
	},
	"pcsc": {
		"@memory": "power fails at a write to the card's memory, which a reader cannot place; " +
			"the in-process card runs it",
		"@cut": "some 2000 removals and insertions of a card, each seen by pcscd only after " +
			"about 400 ms; the in-process card and the Go reader run them",
	},
}

const foreignPrograms = "programs that nobody here wrote find their cards through the PC/SC service; " +
	"make bdd-pcsc runs them"

func leftOutFor(card string) map[string]string {
	kind, _, _ := strings.Cut(card, ":")
	out := servers.LeftOut()
	maps.Copy(out, leftOut[kind])
	return out
}

// tagExpression adds what is left out on this card to the tags that were asked for.
func tagExpression(asked, card string) string {
	var parts []string
	if asked != "" {
		parts = append(parts, asked)
	}
	for _, tag := range sortedKeys(leftOutFor(card)) {
		parts = append(parts, "~"+tag)
	}
	return strings.Join(parts, " && ")
}

// count says how many scenarios the files hold, and how many of them each reason leaves out.
func count(paths []string, card string) (all int, out map[string]int, err error) {
	tags := sortedKeys(leftOutFor(card))
	out = map[string]int{}
	for _, p := range paths {
		pickles, err := picklesOf(p)
		if err != nil {
			return 0, nil, err
		}
		all += len(pickles)
		for _, pk := range pickles {
			if tag := firstTag(pk, tags); tag != "" {
				out[tag]++
			}
		}
	}
	return all, out, nil
}

func picklesOf(path string) ([]*messages.Pickle, error) {
	f, err := features.FS.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	id := (&messages.Incrementing{}).NewId
	doc, err := gherkin.ParseGherkinDocument(f, id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return gherkin.Pickles(*doc, path, id), nil
}

func firstTag(pk *messages.Pickle, tags []string) string {
	for _, want := range tags {
		for _, t := range pk.Tags {
			if t.Name == want {
				return want
			}
		}
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
