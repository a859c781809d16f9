package certify

import (
	"fmt"
	"sync"

	"tokenwright/features/catalogue"
	"tokenwright/features/conformance"
	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/steps/cardkeys"
	"tokenwright/features/steps/content"
	"tokenwright/features/steps/coolkey"
	"tokenwright/features/steps/exchange"
	"tokenwright/features/steps/session"
	"tokenwright/features/steps/tear"
)

// addSteps registers every step of the conformance features.
func addSteps(book *script.Book) {
	bench.AddSteps(book)
	exchange.AddSteps(book)
	session.AddSteps(book)
	cardkeys.AddSteps(book)
	content.AddSteps(book)
	coolkey.AddSteps(book)
	tear.AddSteps(book)
}

// bound is a case with the functions of its steps.
type bound struct {
	catalogue.Case
	steps []script.Step
}

// loaded is the catalogue, read once for all runs of the process. Nobody changes it.
var loaded = sync.OnceValues(func() ([]bound, error) {
	cases, err := catalogue.Load(conformance.FS)
	if err != nil {
		return nil, err
	}
	var book script.Book
	addSteps(&book)
	out := make([]bound, len(cases))
	for i, c := range cases {
		steps, err := book.Bind(c.Steps)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", c.File, c.Line, err)
		}
		out[i] = bound{c, steps}
	}
	return out, nil
})
