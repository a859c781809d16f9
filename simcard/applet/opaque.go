package applet

import "tokenwright/tms/gp/apdu"

// Opaque is the model of every applet that the card has the code of but cannot run: an instance
// can be installed and selected, and knows no command.
type Opaque struct{}

// Install implements Model: there is no state.
func (Opaque) Install(Env, Tx, []byte) error { return nil }

// Start implements Model.
func (Opaque) Start(Env) (Applet, error) { return opaque{}, nil }

// Size implements Model.
func (Opaque) Size([]byte) int { return 0 }

type opaque struct{}

func (opaque) Select() ([]byte, error) { return nil, nil }

func (opaque) Deselect() {}

func (opaque) Process(apdu.Command) (apdu.Response, error) {
	return apdu.Response{SW: apdu.SW6D00}, nil
}
