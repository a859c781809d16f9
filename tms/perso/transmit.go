package perso

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/gp/apdu"
)

// Transmitter carries one command to a card and brings its response back. The
// slices belong to the caller; a Transmitter keeps neither.
type Transmitter interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// TransmitterFunc makes a Transmitter of a function.
type TransmitterFunc func(ctx context.Context, cmd []byte) ([]byte, error)

// Transmit calls f.
func (f TransmitterFunc) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	return f(ctx, cmd)
}

// ErrNoAnswer is wrapped by every error that means that the card's answer never
// came: the card or its reader went away. What the command did is not known.
var ErrNoAnswer = errors.New("no answer from the card")

// Step names one step of a sequence, as errors show it.
type Step string

// The steps of the sequences, in the words that errors use.
const (
	StepSelectISD         Step = "select card manager"
	StepCPLC              Step = "read CPLC"
	StepRecognition       Step = "read card recognition data"
	StepKeyInformation    Step = "read key information template"
	StepSelectApplet      Step = "select applet"
	StepAppletStatus      Step = "get applet status"
	StepAppletVersion     Step = "get applet version"
	StepAppletLifeCycle   Step = "get applet life cycle"
	StepInitializeUpdate  Step = "initialize update"
	StepSanityCheck       Step = "check key information"
	StepSessionKeys       Step = "compute session keys"
	StepExternalAuth      Step = "external authenticate"
	StepDeleteInstance    Step = "delete applet instance"
	StepDeletePackage     Step = "delete applet package"
	StepDeleteOld         Step = "delete old applet"
	StepInstallForLoad    Step = "install for load"
	StepLoad              Step = "load"
	StepInstallSelectable Step = "install and make selectable"
	StepPutKey            Step = "put key"
	StepDeleteKey         Step = "delete key"
	StepIssuerInfo        Step = "set issuer info"
	StepSetLifeCycle      Step = "set life cycle"
	StepCreatePIN         Step = "create PIN"
	StepSetPIN            Step = "set PIN"
	StepGenerateKey       Step = "generate key"
	StepProof             Step = "verify proof of possession"
	StepImportKey         Step = "import key"
	StepClearKeySlots     Step = "clear key slots"
	StepListObjects       Step = "list objects"
	StepCreateObject      Step = "create object"
	StepReadObject        Step = "read object"
	StepWriteObject       Step = "write object"
	StepDeleteObject      Step = "delete object"
	StepReadContent       Step = "read token content"
	StepWriteContent      Step = "write token content"
)

// Error says which step of a sequence failed. SW is the card's status word, and
// zero when the step failed before or without one (Err has the reason then).
type Error struct {
	Step Step
	SW   apdu.SW
	Err  error
}

// Error gives the step and then the reason.
func (e *Error) Error() string { return string(e.Step) + ": " + e.Err.Error() }

// Unwrap gives the reason: the status word itself when the card refused, so that
// errors.Is(err, apdu.SW6A88) works.
func (e *Error) Unwrap() error { return e.Err }

func fail(step Step, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Step: step, Err: err}
	var sw apdu.SW
	if errors.As(err, &sw) {
		e.SW = sw
	}
	return e
}

// insGetResponse fetches the rest of an answer (ISO 7816-4 §11.8.1).
const insGetResponse = 0xC0

// maxPieces bounds how many GET RESPONSE commands one answer may be cut into:
// an extended response is at most 65,536 bytes, 256 a piece.
const maxPieces = 257

// exchange sends one plain command and gathers its whole answer: 61xx is
// fetched with GET RESPONSE, 6Cxx repeats the command once with the length that
// the card asked for (ISO 7816-4 §5.3.4).
func exchange(ctx context.Context, t Transmitter, cmd apdu.Command) (apdu.Response, error) {
	resp, err := roundTrip(ctx, t, cmd)
	if err != nil {
		return apdu.Response{}, err
	}
	if ne, ok := resp.SW.WrongLe(); ok && len(resp.Data) == 0 {
		cmd.Ne = ne
		if resp, err = roundTrip(ctx, t, cmd); err != nil {
			return apdu.Response{}, err
		}
	}
	return gather(ctx, t, resp)
}

// gather follows a 61xx answer with GET RESPONSE until the card has given all.
func gather(ctx context.Context, t Transmitter, resp apdu.Response) (apdu.Response, error) {
	for pieces := 0; ; pieces++ {
		n, ok := resp.SW.More()
		if !ok {
			return resp, nil
		}
		if pieces == maxPieces {
			return apdu.Response{}, errors.New("card keeps announcing more data")
		}
		get := apdu.Command{INS: insGetResponse, Ne: n}
		next, err := roundTrip(ctx, t, get)
		if err != nil {
			return apdu.Response{}, err
		}
		if ne, ok := next.SW.WrongLe(); ok && len(next.Data) == 0 {
			get.Ne = ne
			if next, err = roundTrip(ctx, t, get); err != nil {
				return apdu.Response{}, err
			}
		}
		next.Data = append(resp.Data[:len(resp.Data):len(resp.Data)], next.Data...)
		resp = next
	}
}

func roundTrip(ctx context.Context, t Transmitter, cmd apdu.Command) (apdu.Response, error) {
	raw, err := cmd.Bytes()
	if err != nil {
		return apdu.Response{}, fmt.Errorf("building command: %w", err)
	}
	answer, err := t.Transmit(ctx, raw)
	if err != nil {
		return apdu.Response{}, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	resp, err := apdu.ParseResponse(answer)
	if err != nil {
		return apdu.Response{}, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return resp, nil
}

// expect sends a plain command and wants 9000.
func expect(ctx context.Context, t Transmitter, s Step, cmd apdu.Command) ([]byte, error) {
	resp, err := exchange(ctx, t, cmd)
	if err != nil {
		return nil, fail(s, err)
	}
	return resp.Data, fail(s, resp.Err())
}
