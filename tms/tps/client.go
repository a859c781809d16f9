package tps

import (
	"context"
	"fmt"
	"time"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/wire"
)

// client is the other end of a session as operations see it. Every request is
// answered before the next is sent; after the first failure nothing is sent any
// more.
type client struct {
	conn     conversation
	limits   limits
	updates  bool // the client asked for status updates
	extended bool // the client understands the extended login
	broken   error
}

func newClient(c conversation, begin wire.BeginOp, l limits) *client {
	return &client{
		conn: c, limits: l,
		updates: begin.WantsStatusUpdates(), extended: begin.WantsExtendedLogin(),
	}
}

// Transmit sends one command to the client's card.
func (c *client) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	m, err := c.ask(ctx, wire.TokenPDURequest{PDU: cmd}, c.limits.answer)
	if err != nil {
		return nil, err
	}
	resp, ok := m.(wire.TokenPDUResponse)
	if !ok {
		return nil, c.unexpected(m)
	}
	return resp.PDU, nil
}

// Progress sends a status update and waits for its acknowledgement, whose content
// does not matter.
func (c *client) Progress(ctx context.Context, percent int, task string) error {
	if !c.updates {
		return nil
	}
	m, err := c.ask(ctx, wire.StatusUpdateRequest{Percent: percent, Task: task}, c.limits.answer)
	if err != nil {
		return err
	}
	if _, ok := m.(wire.StatusUpdateResponse); !ok {
		return c.unexpected(m)
	}
	return nil
}

// NewPIN asks for a new PIN.
func (c *client) NewPIN(ctx context.Context, shortest, longest int) (coolkey.PIN, error) {
	m, err := c.ask(ctx, wire.NewPINRequest{MinLength: shortest, MaxLength: longest}, c.limits.login)
	if err != nil {
		return nil, err
	}
	answer, ok := m.(wire.NewPINResponse)
	if !ok {
		return nil, c.unexpected(m)
	}
	return coolkey.PIN(answer.PIN.Reveal()), nil
}

// Login asks for credentials: by name and with texts when the client said that it
// understands that, else for screen name and password.
func (c *client) Login(ctx context.Context, p auth.Prompt) (auth.Credentials, error) {
	var request wire.Message = wire.LoginRequest{}
	if c.extended {
		request = extendedLogin(p)
	}
	m, err := c.ask(ctx, request, c.limits.login)
	if err != nil {
		return auth.Credentials{}, err
	}
	switch answer := m.(type) {
	case wire.LoginResponse:
		return auth.NewCredentials(answer.ScreenName, answer.Password.Reveal()), nil
	case wire.ExtendedLoginResponse:
		if c.extended {
			return credentials(answer), nil
		}
	}
	return auth.Credentials{}, c.unexpected(m)
}

func extendedLogin(p auth.Prompt) wire.ExtendedLoginRequest {
	m := wire.ExtendedLoginRequest{Title: p.Title, Description: p.Description}
	for _, f := range p.Fields {
		kind := wire.ParamString
		if f.Secret {
			kind = wire.ParamPassword
		}
		m.Params = append(m.Params, wire.Param{
			ID: f.ID, Name: f.Name, Description: f.Description, Kind: kind,
		})
	}
	return m
}

// credentials takes the answered fields. An old client answers the extended login
// under the names of the plain one.
func credentials(m wire.ExtendedLoginResponse) auth.Credentials {
	fields := make(map[string]string, len(m.Fields))
	for _, f := range m.Fields {
		fields[f.ID] = f.Value.Reveal()
	}
	for old, id := range map[string]string{
		"screen_name": auth.FieldUID, "password": auth.FieldPassword,
	} {
		if v, ok := fields[old]; ok {
			if _, has := fields[id]; !has {
				fields[id] = v
			}
		}
	}
	return auth.CredentialsFrom(fields)
}

// ask sends a message and waits for the answer.
func (c *client) ask(ctx context.Context, m wire.Message, wait time.Duration) (
	wire.Message, error,
) {
	if c.broken != nil {
		return nil, c.broken
	}
	answer, err := within(ctx, wait, func(ctx context.Context) (wire.Message, error) {
		if err := c.conn.Write(ctx, m); err != nil {
			return nil, err
		}
		return c.conn.Read(ctx)
	})
	c.broken = err
	return answer, err
}

// within gives f so much time. That it ran out, or that the session's did, counts as
// a lost connection.
func within(ctx context.Context, wait time.Duration,
	f func(ctx context.Context) (wire.Message, error),
) (wire.Message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %s", wait))
	defer cancel()
	m, err := f(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", wire.ErrConnectionLost, context.Cause(ctx))
	}
	return m, err
}

// unexpected ends the conversation over an answer of the wrong type.
func (c *client) unexpected(m wire.Message) error {
	c.broken = fmt.Errorf("%w: type %d", errMessage, m.Type())
	return c.broken
}
