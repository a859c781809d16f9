package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/wire"
)

func addSlowSteps(sc *godog.ScenarioContext) {
	sc.Step(`^"([^"]*)" enrolls the card, which takes its time to make a key$`, enrollsSlowly)
	sc.Step(`^the person was told of each key before the card began to make it$`, toldBefore)
}

// How long cards take to make an RSA key of 2048 bits: the usual one, and with SOAK the slowest.
const (
	usualSilicon   = 12 * time.Second
	slowestSilicon = 69 * time.Second
)

// generateKey is the instruction that has a card make an RSA key.
const generateKey = 0x0C

// enrollsSlowly lets the time pass that a card would take, and notes what the person knew when it began.
func enrollsSlowly(ctx context.Context, user string) error {
	takes := usualSilicon
	if os.Getenv("SOAK") != "" {
		takes = slowestSilicon
	}
	sn, st := scene.From(ctx), from(ctx)
	var known [][]string
	sn.Card.SetFault(func(_ int, cmd []byte) scene.Fate {
		if len(cmd) < 2 || cmd[1] != generateKey {
			return scene.Passes
		}
		known = append(known, slices.Clone(st.tasks))
		select {
		case <-ctx.Done():
			return scene.Pulled
		case <-time.After(takes):
			return scene.Passes
		}
	})
	err := Operate(ctx, wire.OpEnroll, user, "userKey", "135790")
	st.known = known
	return err
}

func toldBefore(ctx context.Context) error {
	known := from(ctx).known
	if len(known) == 0 {
		return errors.New("the card made no key")
	}
	for i, tasks := range known {
		n := 0
		for _, t := range tasks {
			if t == "PROGRESS_KEY_GENERATION" {
				n++
			}
		}
		if n <= i {
			return fmt.Errorf("at key %d the person had been shown %q", i+1, tasks)
		}
	}
	return nil
}
