// Package interruption holds the steps about what is left when something dies in the life of a token:
// the card is pulled, an answer is lost, a process is killed. It owns where an operation is cut, that one
// more try ends right, and what has to agree then: token database, CA, key archive and card. It must not
// know how anything is repaired.
package interruption

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/judge"
	"tokenwright/features/lab"
	"tokenwright/features/report"
	"tokenwright/features/steps/scene"
	"tokenwright/simcard/stock"
)

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		return context.WithValue(ctx, key{}, &state{}), nil
	})
	sc.After(func(ctx context.Context, _ *godog.Scenario, err error) (context.Context, error) {
		return ctx, errors.Join(err, from(ctx).close(context.WithoutCancel(ctx)))
	})
	sc.Step(`^token processing system, certificate authority and key recovery authority, each a process of its own$`, apart)
	sc.Step(`^cards of stock "([^"]*)"$`, cardsOf)
	sc.Step(`^a person whose operation is to "([^"]*)"$`, choose)
	sc.Step(`^the card is pulled before each command in turn, and the person tries once more each time$`, pulled)
	sc.Step(`^the answer to each command in turn is lost, and the person tries once more each time$`, answerLost)
	sc.Step(`^in long runs the card is pulled before each command in turn, and the answer to each is lost$`, inLongRuns)
	sc.Step(`^the (TPS|CA|KRA) is killed at each intent and outcome in turn, and the person tries once more each time$`, killed)
	sc.Step(`^every last try ended as it should, and records, authorities and card agreed$`, allRight)
}

// column names in the table, beside the processes'.
const (
	columnPulled = "card pulled"
	columnLost   = "answer lost"
)

var columns = []string{columnPulled, columnLost, lab.ProcessTPS, lab.ProcessCA, lab.ProcessKRA}

// kind is a kind of keys that cards get.
type kind struct {
	name   string
	config map[string]string // of the TPS
	onCard bool              // all are made on the card, and none is archived
}

// kinds are the kinds: the first is for every run, all are for long ones. What the KRA makes is RSA in any
// case, since the applet takes no others from outside.
var kinds = []kind{
	{name: "P-256, RSA-2048 archived", config: map[string]string{
		"op.enroll.userKey.keyGen.signing.alg": "5", "op.enroll.userKey.keyGen.signing.keySize": "256",
	}},
	{name: "RSA-2048"},
	{name: "P-256", onCard: true, config: map[string]string{
		"op.enroll.userKey.keyGen.signing.alg": "5", "op.enroll.userKey.keyGen.signing.keySize": "256",
		"op.enroll.userKey.keyGen.encryption.alg": "5", "op.enroll.userKey.keyGen.encryption.keySize": "256",
		"op.enroll.userKey.keyGen.encryption.serverKeygen.enable": "false",
	}},
}

// state is what a scenario knows.
type state struct {
	op     operation
	stocks []string
	runs   []*run
}

// run is one stock and kind of keys, and at how many points an operation was cut with them.
type run struct {
	*world // nil while no system is running
	stock  string
	op     operation
	kind   kind
	points map[string]int
	names  map[string]bool // of failpoints
	// commands is how many the card got in the operation.
	commands       int
	judged, killed int // certificates, and TPS while it repaired
}

// start starts a system, unless one is running.
func (r *run) start(ctx context.Context) (err error) {
	if r.world == nil {
		r.world, err = open(ctx, r.stock, r.kind)
	}
	return err
}

// stop judges what the system has issued, and ends it.
func (r *run) stop(ctx context.Context) error {
	if r.world == nil {
		return nil
	}
	n, err := judge.Everything(ctx, r.sys.Certificates())
	if err != nil {
		err = fmt.Errorf("judging what was issued: %w", err)
	}
	r.judged, r.killed = r.judged+n, r.killed+r.repairs
	w := r.world
	r.world = nil
	return errors.Join(err, w.close(ctx))
}

type key struct{}

func from(ctx context.Context) *state { return ctx.Value(key{}).(*state) }

func (s *state) close(ctx context.Context) error {
	var errs []error
	for _, r := range s.runs {
		if r.world != nil {
			errs = append(errs, r.close(ctx))
		}
	}
	return errors.Join(errs...)
}

// apart says how a system is; it is started when it is known what for.
func apart(context.Context) error { return nil }

// cardsOf chooses a stock; long runs take every one.
func cardsOf(ctx context.Context, name string) error {
	st := from(ctx)
	if st.stocks = []string{name}; long() {
		st.stocks = stock.Names()
	}
	return nil
}

func long() bool { return os.Getenv("SOAK") != "" }

func choose(ctx context.Context, name string) (err error) {
	st := from(ctx)
	if st.op, err = operationByName(name); err != nil {
		return err
	}
	some := kinds[:1]
	if long() {
		some = kinds
	}
	for _, stock := range st.stocks {
		for _, k := range some {
			if k.onCard && name == "recover" {
				continue // there is nothing in the archive
			}
			st.runs = append(st.runs, &run{stock: stock, kind: k, op: st.op, points: map[string]int{},
				names: map[string]bool{}})
		}
	}
	return nil
}

// each does the same with every stock and kind of keys. A long run has too many of them to have all
// systems at a time.
func each(ctx context.Context, f func(*run) error) error {
	st := from(ctx)
	if len(st.runs) == 0 {
		return errors.New("nobody has said what the operation is")
	}
	for _, r := range st.runs {
		err := r.start(ctx)
		if err == nil {
			err = f(r)
		}
		if err == nil && long() {
			err = r.stop(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s, %s: %w", r.stock, r.kind.name, err)
		}
	}
	return nil
}

func pulled(ctx context.Context) error {
	return each(ctx, func(r *run) error { return r.cutAll(ctx, columnPulled, cardCut{scene.Pulled}) })
}

func answerLost(ctx context.Context) error {
	return each(ctx, func(r *run) error { return r.cutAll(ctx, columnLost, cardCut{scene.AnswerLost}) })
}

func inLongRuns(ctx context.Context) error {
	if !long() {
		return nil
	}
	return errors.Join(pulled(ctx), answerLost(ctx))
}

// killed kills a process at each failpoint; one that takes no part is killed in the middle of things, and
// must not be missed.
func killed(ctx context.Context, name string) error {
	return each(ctx, func(r *run) error {
		if slices.Contains(r.op.parts, name) && (name != lab.ProcessKRA || !r.kind.onCard) {
			return r.cutAll(ctx, name, processCut{name, r.names})
		}
		return r.notMissed(ctx, name)
	})
}

// archives tells whether a failpoint is passed only where a key is archived.
func archives(name string) bool {
	return strings.HasPrefix(name, "kra.") || strings.HasPrefix(name, "enroll.archive.")
}

// allRight wants points of every kind, the named ones among them, and adds them to the table. That every
// last try ended right was seen at each point.
func allRight(ctx context.Context) error {
	for _, r := range from(ctx).runs {
		err := r.stop(ctx)
		if err == nil {
			err = r.tell(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s, %s: %w", r.stock, r.kind.name, err)
		}
	}
	return nil
}

func (r *run) tell(ctx context.Context) error {
	numbers := make([]int, len(columns))
	for i, c := range columns {
		n, asked := r.points[c]
		if asked && n == 0 || len(r.points) == 0 {
			return fmt.Errorf("it was cut at no point: %v", r.points)
		}
		if numbers[i] = n; !asked {
			numbers[i] = report.None
		}
	}
	for _, name := range r.op.points {
		if !r.names[name] && !(r.kind.onCard && archives(name)) {
			return fmt.Errorf("nothing was killed at %s, only at %s", name,
				strings.Join(slices.Sorted(maps.Keys(r.names)), ", "))
		}
	}
	if slices.Contains(r.op.parts, lab.ProcessCA) && r.judged == 0 {
		return errors.New("nothing that was issued was judged")
	}
	report.Note(ctx, "%s, %s: %d certificates judged, TPS killed %d times more while it repaired",
		r.stock, r.kind.name, r.judged, r.killed)
	report.Row(ctx, "points at which an operation was cut, and tried once more", columns,
		fmt.Sprintf("%s (%s, %s)", r.op.name, r.stock, r.kind.name), numbers)
	return nil
}
