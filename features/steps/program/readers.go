package program

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/programs"
	"tokenwright/features/steps/scene"
)

func addReaderSteps(sc *godog.ScenarioContext) {
	sc.Step(`^opensc-tool is asked for ATR and name, and to send "([0-9A-F]+)" and "([0-9A-F]+)"$`, openscTool)
	sc.Step(`^it shows the card's ATR$`, showsATR)
	sc.Step(`^it names the card "([^"]*)"$`, namesCard)
	sc.Step(`^it shows the card's own answers to both commands$`, showsAnswers)
	sc.Step(`^pcsc_scan looks at the readers$`, pcscScan)
	sc.Step(`^it shows the card's ATR in the card's reader, and no other card$`, showsReader)
	sc.Step(`^pcsc_scan is watching while the card is taken out and put back$`, pcscScanWatches)
	sc.Step(`^it has seen the card go and come$`, sawGoAndCome)
}

func openscTool(ctx context.Context, first, second string) error {
	reader, err := lend(ctx)
	if err != nil {
		return err
	}
	if err := run(ctx, programs.Call{
		Name: "opensc-tool", Args: []string{"-r", reader, "-a", "-n", "-s", first, "-s", second},
	}); err != nil {
		return err
	}
	return blame(ctx, from(ctx).last.Err())
}

func showsATR(ctx context.Context) error {
	atr := scene.From(ctx).Card.ATR()
	shown := strings.ToUpper(strings.ReplaceAll(from(ctx).last.Output(), ":", ""))
	if !strings.Contains(shown, fmt.Sprintf("%X", atr)) {
		return fmt.Errorf("the card's ATR is %X\n%s", atr, from(ctx).last)
	}
	return nil
}

func namesCard(ctx context.Context, want string) error {
	for line := range strings.Lines(from(ctx).last.Output()) {
		if strings.TrimSpace(line) == want {
			return nil
		}
	}
	return blame(ctx, fmt.Errorf("it does not\n%s", from(ctx).last))
}

var (
	statusShown = regexp.MustCompile(`^Received \(SW1=0x(..), SW2=0x(..)\)`)
	bytesShown  = regexp.MustCompile(`^((?:[0-9A-F]{2} )+)`)
)

// answersShown reads the answers that opensc-tool has printed: the status word in a heading, the
// data in lines of up to 16 bytes with their characters behind.
func answersShown(output string) (answers [][]byte, err error) {
	var data, sw []byte
	flush := func() {
		if sw != nil {
			answers = append(answers, append(data, sw...))
		}
		data, sw = nil, nil
	}
	for line := range strings.Lines(output) {
		if m := statusShown.FindStringSubmatch(line); m != nil {
			flush()
			if sw, err = hex.DecodeString(m[1] + m[2]); err != nil {
				return nil, err
			}
			continue
		}
		if m := bytesShown.FindStringSubmatch(line); m != nil && sw != nil {
			// The characters could look like bytes, too: 16 of them are 47 characters wide.
			row, err := hex.DecodeString(strings.ReplaceAll(m[1][:min(len(m[1]), 48)], " ", ""))
			if err != nil {
				return nil, err
			}
			data = append(data, row...)
			continue
		}
		flush()
	}
	flush()
	return answers, nil
}

// showsAnswers holds what was printed against what left the card.
func showsAnswers(ctx context.Context) error {
	shown, err := answersShown(from(ctx).last.Output())
	if err != nil {
		return err
	}
	heard := scene.From(ctx).Card.Heard()
	if len(shown) != 2 || len(heard) < 2 {
		return blame(ctx, fmt.Errorf("it shows %d answers\n%s", len(shown), from(ctx).last))
	}
	for i, e := range heard[len(heard)-2:] {
		if string(e.Answer) != string(shown[i]) {
			return blame(ctx, fmt.Errorf("the card answered %X\n%s", e.Answer, from(ctx).last))
		}
	}
	return nil
}

func pcscScan(ctx context.Context) error {
	if _, err := lend(ctx); err != nil {
		return err
	}
	if err := run(ctx, programs.Call{Name: "pcsc_scan", Args: []string{"-n", "-c"}}); err != nil {
		return err
	}
	return from(ctx).last.Err()
}

// readerShown is what pcsc_scan says of one reader.
var readerShown = regexp.MustCompile(`(?m)^ Reader \d+: (.*)\n.*Event number: .*\n.*Card state: (.*), *\n(?:.*ATR: ([0-9A-F ]+)\n)?`)

func showsReader(ctx context.Context) error {
	card := scene.From(ctx).Card
	output := plain(from(ctx).last.Output())
	var found bool
	for _, m := range readerShown.FindAllStringSubmatch(output, -1) {
		inserted := strings.HasPrefix(m[2], "Card inserted")
		switch {
		case m[1] != from(ctx).reader && inserted:
			return fmt.Errorf("it shows a card in %q\n%s", m[1], output)
		case m[1] != from(ctx).reader:
		case strings.ReplaceAll(m[3], " ", "") != fmt.Sprintf("%X", card.ATR()):
			return fmt.Errorf("the card's ATR is %X\n%s", card.ATR(), output)
		default:
			found = inserted
		}
	}
	if !found {
		return fmt.Errorf("the card is in %q\n%s", from(ctx).reader, output)
	}
	return nil
}

// plain takes out what moves the cursor and paints.
func plain(s string) string {
	return regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]|[\r\b]").ReplaceAllString(s, "")
}

func pcscScanWatches(ctx context.Context) error {
	reader, err := lend(ctx)
	if err != nil {
		return err
	}
	s, card := from(ctx), scene.From(ctx).Card
	if s.running, err = programs.Start(ctx, programs.Call{Name: "pcsc_scan", Args: []string{"-n"}}); err != nil {
		return err
	}
	events := func(want int, state string) error {
		return s.running.Await(ctx, "the event of "+state, func(output string) bool {
			return len(eventsOf(plain(output), reader)) >= want
		})
	}
	if err := events(1, "the card there"); err != nil {
		return err
	}
	if err := card.Remove(ctx); err != nil {
		return err
	}
	if err := events(2, "the card gone"); err != nil {
		return err
	}
	if err := card.Insert(ctx); err != nil {
		return err
	}
	return events(3, "the card back")
}

// eventsOf lists the card states that were shown for a reader, one after another, each once.
func eventsOf(output, reader string) (states []string) {
	for _, m := range readerShown.FindAllStringSubmatch(output, -1) {
		state, _, _ := strings.Cut(m[2], ",")
		if m[1] == reader && (len(states) == 0 || states[len(states)-1] != state) {
			states = append(states, state)
		}
	}
	return states
}

func sawGoAndCome(ctx context.Context) error {
	s := from(ctx)
	if s.running == nil {
		return errors.New("no program is watching")
	}
	got := strings.Join(eventsOf(plain(s.running.Output()), s.reader), ", ")
	if want := "Card inserted, Card removed, Card inserted"; got != want {
		return fmt.Errorf("it has seen %q\n%s", got, s.running.Output())
	}
	return nil
}
