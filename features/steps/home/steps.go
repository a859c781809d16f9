// Package home speaks of where the token database is kept. It must not know how it is kept there.
package home

import (
	"context"

	"github.com/cucumber/godog"

	"tokenwright/features/lab"
	"tokenwright/features/steps/scene"
)

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Step(`^the token database is kept in (PostgreSQL|OpenLDAP|389 Directory Server)$`, keptIn)
	sc.Step(`^the token management system is stopped and started again$`, again)
}

// keptIn starts the server if it does not run yet, and makes an empty token database there.
func keptIn(ctx context.Context, home string) error {
	keys, err := lab.HomeConfig(ctx, home)
	if err != nil {
		return err
	}
	for name, value := range keys {
		if err := scene.From(ctx).Configure(name, value); err != nil {
			return err
		}
	}
	return nil
}

func again(ctx context.Context) error { return scene.From(ctx).Reconfigure(ctx, nil) }
