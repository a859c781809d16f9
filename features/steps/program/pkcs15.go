package program

import (
	"context"
	"fmt"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/programs"
)

func addPKCS15Steps(sc *godog.ScenarioContext) {
	sc.Step(`^opensc-tool is asked for the card's name$`, askName)
	sc.Step(`^pkcs15-tool dumps the card$`, dump)
	sc.Step(`^it shows the PIN, and the certificate and the keys of every pair$`, dumpShows)
}

func askName(ctx context.Context) error {
	reader, err := lend(ctx)
	if err != nil {
		return err
	}
	return must(ctx, run(ctx, programs.Call{Name: "opensc-tool", Args: []string{"-r", reader, "-n"}}))
}

func dump(ctx context.Context) error {
	reader, err := lend(ctx)
	if err != nil {
		return err
	}
	return must(ctx, run(ctx, programs.Call{Name: "pkcs15-tool", Args: []string{"-r", reader, "-D"}}))
}

// dumpShows reads headings like "Private RSA Key [label]", each followed by indented lines of which
// one is "ID".
func dumpShows(ctx context.Context) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	shown := map[string]bool{}
	var heading string
	for line := range strings.Lines(from(ctx).last.Output()) {
		if line == strings.TrimLeft(line, "\t ") {
			heading = strings.TrimSpace(line)
		}
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "ID" {
			shown[heading+" "+strings.TrimSpace(value)] = true
		}
	}
	want := []string{fmt.Sprintf("PIN [%s] 01", h.TokenName)}
	for _, p := range h.Pairs {
		kind := "RSA"
		if p.Algorithm.Curve() != nil {
			kind = "EC"
		}
		for _, form := range []string{"Private " + kind + " Key", "Public " + kind + " Key", "X.509 Certificate"} {
			want = append(want, fmt.Sprintf("%s [%s] %x", form, p.Label, p.ID))
		}
	}
	for _, w := range want {
		if !shown[w] {
			return blame(ctx, fmt.Errorf("it does not show %q\n%s", w, from(ctx).last))
		}
	}
	return nil
}
