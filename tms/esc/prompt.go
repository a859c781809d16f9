package esc

import (
	"context"
	"fmt"

	"tokenwright/tms/wire"
)

// IDs of the parameters that this package makes up for requests which name none.
const (
	ParamUID      = "UID"
	ParamPassword = "PASSWORD"
	ParamPIN      = "PIN"
	ParamValue    = "VALUE"
	ParamAnswer   = "ANSWER"
)

// prompt turns any request for credentials into a Prompt, and what was entered into the answer
// that the request wants.
func (r *run) prompt(ctx context.Context, m wire.Message) (wire.Message, error) {
	if r.client.Prompter == nil {
		return nil, fmt.Errorf("%w: nobody to ask", ErrPrompt)
	}
	p := promptFor(m)
	got, err := r.client.Prompter.Ask(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPrompt, err)
	}
	get := func(id string) wire.Secret { s, _ := got.Get(id); return s }
	switch m.(type) {
	case wire.LoginRequest:
		return wire.LoginResponse{
			ScreenName: get(ParamUID).Reveal(), Password: get(ParamPassword),
		}, nil
	case wire.SecureIDRequest:
		return wire.SecureIDResponse{PIN: get(ParamPIN), Value: get(ParamValue)}, nil
	case wire.ASQRequest:
		return wire.ASQResponse{Answer: get(ParamAnswer)}, nil
	}
	// What was not asked for is not sent, and what was asked for is sent in its order.
	var out wire.ExtendedLoginResponse
	for _, param := range p.Params {
		out.Fields = append(out.Fields, wire.Credential{ID: param.ID, Value: get(param.ID)})
	}
	return out, nil
}

func promptFor(m wire.Message) Prompt {
	secret := func(id, name string) wire.Param {
		return wire.Param{ID: id, Name: name, Kind: wire.ParamPassword}
	}
	switch m := m.(type) {
	case wire.LoginRequest:
		return Prompt{
			Title: "Sign in",
			Params: []wire.Param{
				{ID: ParamUID, Name: "User ID", Kind: wire.ParamString},
				secret(ParamPassword, "Password"),
			},
			Retry: m.InvalidPassword, Blocked: m.Blocked,
		}
	case wire.ExtendedLoginRequest:
		return Prompt{
			Title: m.Title, Description: m.Description, Params: m.Params,
			Retry: m.InvalidPassword, Blocked: m.Blocked,
		}
	case wire.SecureIDRequest:
		p := Prompt{Title: "One-time password", Retry: m.NextValue}
		if m.PINRequired {
			p.Params = append(p.Params, secret(ParamPIN, "PIN"))
		}
		p.Params = append(p.Params, secret(ParamValue, "Value shown by the device"))
		return p
	case wire.ASQRequest:
		return Prompt{
			Title: "Security question", Description: m.Question,
			Params: []wire.Param{secret(ParamAnswer, "Answer")},
		}
	}
	return Prompt{}
}

// maxPINLength is longer than any card's PIN; a server that asks for more makes no sense.
const maxPINLength = 255

func (r *run) newPIN(ctx context.Context, m wire.NewPINRequest) (wire.Message, error) {
	if m.MinLength > m.MaxLength || m.MaxLength < 1 || m.MinLength > maxPINLength {
		return nil, fmt.Errorf("%w: PIN of %d to %d bytes", ErrProtocol, m.MinLength, m.MaxLength)
	}
	if r.client.Prompter == nil {
		return nil, fmt.Errorf("%w: nobody to ask", ErrPrompt)
	}
	pin, err := r.client.Prompter.NewPIN(ctx, m.MinLength, m.MaxLength)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNewPIN, err)
	}
	if pin.Len() < m.MinLength || pin.Len() > m.MaxLength {
		return nil, fmt.Errorf("%w: it must be %d to %d bytes long", ErrNewPIN, m.MinLength,
			m.MaxLength)
	}
	return wire.NewPINResponse{PIN: pin}, nil
}
