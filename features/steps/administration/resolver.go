package administration

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/tps/mapping"
)

func addResolverSteps(sc *godog.ScenarioContext) {
	register()
	sc.Step(`^the resolver "([^"]*)" decides (tokenType|keySet) by these mappings$`, decides)
	sc.Step(`^the resolver "([^"]*)" is the plug-in "([^"]*)" with$`, pluggedIn)
}

// decides configures a FilterMappingResolver: a row for each mapping, a column for each filter, and
// the last for the target. ATR and CUID stand for those of the card.
func decides(ctx context.Context, name, target string, table *godog.Table) error {
	sn := scene.From(ctx)
	base := "mappingResolver." + name + "."
	head := cells(table.Rows[0].Cells)
	var order []string
	for _, row := range table.Rows[1:] {
		n := row.Cells[0].Value
		order = append(order, n)
		prefix := base + "mapping." + n + "."
		// The shipped mapping of this number is overridden whole.
		for _, f := range []string{"appletMajorVersion", "appletMinorVersion", "tokenATR",
			"tokenCUID.start", "tokenCUID.end", "tokenType", "keySet", "symKeySize"} {
			if err := sn.Configure(prefix+"filter."+f, ""); err != nil {
				return err
			}
		}
		for i, c := range row.Cells[1:] {
			key := prefix + "filter." + head[i+1]
			if i+2 == len(head) {
				key = prefix + "target." + target
			}
			if err := sn.Configure(key, ofCard(ctx, c.Value)); err != nil {
				return err
			}
		}
	}
	if err := sn.Configure(base+"class_id", mapping.FilterClassID); err != nil {
		return err
	}
	return sn.Configure(base+"mapping.order", strings.Join(order, ","))
}

// ofCard puts what the card shows where a table says ATR or CUID.
func ofCard(ctx context.Context, text string) string {
	card := scene.From(ctx).Card
	if card == nil {
		return text
	}
	text = strings.ReplaceAll(text, "ATR", strings.ToUpper(hex.EncodeToString(card.ATR())))
	return strings.ReplaceAll(text, "CUID", card.CUID().String())
}

// byMakerClass is the name of a plug-in, as an operator who has written one gives it.
const byMakerClass = "byMakerResolverImpl"

// byMaker decides by the first four digits of the card's unique identifier, which tell its maker.
type byMaker struct{ name, known, other string }

// register makes the plug-in known, as a main package with plug-ins does before it makes a server.
var register = sync.OnceFunc(func() { mapping.Register(byMakerClass, newByMaker) })

func newByMaker(c mapping.Config, instance string) (mapping.Resolver, error) {
	base := "mappingResolver." + instance + "."
	b := byMaker{name: instance, known: c.String(base + "known"), other: c.String(base + "other")}
	if b.known == "" || b.other == "" {
		return nil, &mapping.Error{Kind: mapping.ErrConfig, Resolver: instance,
			Detail: base + "known or " + base + "other is not set"}
	}
	return b, nil
}

// Resolve implements mapping.Resolver.
func (b byMaker) Resolve(in mapping.Input, _ mapping.Target) (mapping.Result, error) {
	if strings.HasPrefix(in.CUID, "4790") {
		return mapping.Result{Value: b.known, Mapping: "known"}, nil
	}
	return mapping.Result{Value: b.other, Mapping: "other"}, nil
}

func pluggedIn(ctx context.Context, name, class string, keys *godog.Table) error {
	if class != byMakerClass {
		return fmt.Errorf("the harness has no plug-in %q", class)
	}
	sn := scene.From(ctx)
	base := "mappingResolver." + name + "."
	for _, row := range keys.Rows {
		if err := sn.Configure(base+row.Cells[0].Value, row.Cells[1].Value); err != nil {
			return err
		}
	}
	return sn.Configure(base+"class_id", class)
}
