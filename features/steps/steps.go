// Package steps gathers the step definitions of every noun. It knows their names only.
package steps

import (
	"github.com/cucumber/godog"

	"tokenwright/features/steps/administration"
	"tokenwright/features/steps/card"
	"tokenwright/features/steps/channel"
	"tokenwright/features/steps/client"
	"tokenwright/features/steps/enrollment"
	"tokenwright/features/steps/home"
	"tokenwright/features/steps/interruption"
	"tokenwright/features/steps/pkcs11"
	"tokenwright/features/steps/program"
	"tokenwright/features/steps/registration"
	"tokenwright/features/steps/routing"
	"tokenwright/features/steps/server"
	"tokenwright/features/steps/token"
)

// Add registers every step.
func Add(sc *godog.ScenarioContext) {
	administration.AddSteps(sc)
	card.AddSteps(sc)
	channel.AddSteps(sc)
	client.AddSteps(sc)
	enrollment.AddSteps(sc)
	interruption.AddSteps(sc)
	home.AddSteps(sc)
	pkcs11.AddSteps(sc)
	program.AddSteps(sc)
	registration.AddSteps(sc)
	routing.AddSteps(sc)
	server.AddSteps(sc)
	token.AddSteps(sc)
}
