package tps

import (
	"context"
	"fmt"

	"tokenwright/tms/conf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/tps/tokendb"
)

// By says who asks for a change by hand, and why. Whoever calls has made sure that they
// may.
type By struct {
	Actor string
	// Why is in their words; empty means that they gave no reason.
	Why string
	// IP is where they are, without port; empty for this machine.
	IP string
}

// begin looks up a token for a change by hand.
func (s *Server) begin(ctx context.Context, cuid keys.CUID, by By) (*tokendb.Card, error) {
	session, err := s.session(by)
	if err != nil {
		return nil, err
	}
	return s.db.Look(ctx, session, cuid)
}

func (s *Server) session(by By) (tokendb.Session, error) {
	id, err := s.newSessionID()
	return tokendb.Session{ID: id, Actor: by.Actor, Why: by.Why, IP: by.IP}, err
}

// ChangeState moves a token to a state on behalf of actor, and gives its record; see
// [Server.ChangeStateBy].
func (s *Server) ChangeState(ctx context.Context, cuid keys.CUID, to token.State, actor string) (
	token.Record, error,
) {
	return s.ChangeStateBy(ctx, cuid, to, By{Actor: actor})
}

// ChangeStateBy moves a token to a state by hand, and gives its record; see
// op.ChangeState. contact.StatusOf tells the code of an error.
func (s *Server) ChangeStateBy(ctx context.Context, cuid keys.CUID, to token.State, by By) (
	token.Record, error,
) {
	card, err := s.begin(ctx, cuid, by)
	if err == nil {
		err = op.ChangeState(ctx, &s.env, card, to)
	}
	if err != nil {
		return token.Record{}, fmt.Errorf("token %s: %w", cuid, err)
	}
	return card.Record(), nil
}

// Add records a card that nobody has seen yet; see tokendb.DB.Add.
func (s *Server) Add(ctx context.Context, cuid keys.CUID, e tokendb.Edit, by By) (
	token.Record, error,
) {
	session, err := s.session(by)
	if err != nil {
		return token.Record{}, err
	}
	return s.db.Add(ctx, session, cuid, e)
}

// Edit changes user and policy of a token's record; see tokendb.Card.Edit.
func (s *Server) Edit(ctx context.Context, cuid keys.CUID, e tokendb.Edit, by By) (
	token.Record, error,
) {
	card, err := s.begin(ctx, cuid, by)
	if err != nil {
		return token.Record{}, err
	}
	if err := card.Edit(ctx, e); err != nil {
		return token.Record{}, err
	}
	return card.Record(), nil
}

// Delete removes a token's record; see tokendb.Card.Delete.
func (s *Server) Delete(ctx context.Context, cuid keys.CUID, by By) error {
	card, err := s.begin(ctx, cuid, by)
	if err != nil {
		return err
	}
	return card.Delete(ctx)
}

// Next gives the states that a person may move a token to, and Effective the policy that
// holds for it: its own over the configured default.
func (s *Server) Next(r token.Record) []token.State { return s.db.Next(r) }

// Effective gives the policy that holds for a token; see [Server.Next].
func (s *Server) Effective(r token.Record) token.Policy { return s.db.Effective(r) }

// loadRules reads the rules of the token database. A transition that is not permitted is
// an error with file and line.
func loadRules(c *conf.Config) (tokendb.Rules, error) {
	rules := tokendb.DefaultRules()
	if text, ok := c.Lookup("tokendb.defaultPolicy"); ok {
		p, err := token.ParsePolicy(text)
		if err != nil {
			return rules, c.Errorf("tokendb.defaultPolicy", "%w", err)
		}
		rules.Policy = p
	}
	for _, l := range []struct {
		key       string
		to        *token.Transitions
		permitted token.Transitions
	}{
		{"tps.operations.allowedTransitions", &rules.Operations, token.OperationTransitions()},
		{"tokendb.allowedTransitions", &rules.Manual, token.PermittedManualTransitions()},
	} {
		text, ok := c.Lookup(l.key)
		if !ok {
			continue
		}
		t, err := token.ParseTransitions(text, l.permitted)
		if err != nil {
			return rules, c.Errorf(l.key, "%w", err)
		}
		*l.to = t
	}
	return rules, nil
}
