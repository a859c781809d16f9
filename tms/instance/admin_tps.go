package instance

import (
	"context"
	"errors"
	"net/http"

	"tokenwright/tms/admin"
	"tokenwright/tms/admin/tpsadmin"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// tpsRoutes are what can be administered of a token processing system.
func tpsRoutes(p *part, s *tps.Server, records tpsadmin.Records) []admin.Route {
	path := under(p.dir, p.conf.StringOr("admin.labels", tpsadmin.LabelFileName))
	labels := &tpsadmin.LabelFile{Path: path, Log: p.log}
	return tpsadmin.Routes(tpsadmin.Options{
		Records: records, Changes: tpsChanges{s}, Rules: s, Labels: labels.Labels,
	})
}

// tpsChanges has the token processing system make what administration asks for, and says in its
// words what became of it.
type tpsChanges struct{ server *tps.Server }

func by(a tpsadmin.Actor) tps.By { return tps.By{Actor: a.Name, Why: a.Why, IP: a.Address} }

func edited(e tpsadmin.Edit) tokendb.Edit { return tokendb.Edit(e) }

// ChangeState moves a token to a state.
func (c tpsChanges) ChangeState(ctx context.Context, cuid keys.CUID, to token.State,
	a tpsadmin.Actor,
) (token.Record, error) {
	rec, err := c.server.ChangeStateBy(ctx, cuid, to, by(a))
	return rec, told(err)
}

// Edit changes user and policy.
func (c tpsChanges) Edit(ctx context.Context, cuid keys.CUID, e tpsadmin.Edit, a tpsadmin.Actor) (
	token.Record, error,
) {
	rec, err := c.server.Edit(ctx, cuid, edited(e), by(a))
	return rec, told(err)
}

// Add records a card that nobody has seen yet.
func (c tpsChanges) Add(ctx context.Context, cuid keys.CUID, e tpsadmin.Edit, a tpsadmin.Actor) (
	token.Record, error,
) {
	rec, err := c.server.Add(ctx, cuid, edited(e), by(a))
	return rec, told(err)
}

// Delete removes a record.
func (c tpsChanges) Delete(ctx context.Context, cuid keys.CUID, a tpsadmin.Actor) error {
	return told(c.server.Delete(ctx, cuid, by(a)))
}

// told makes an error of the TPS one for whoever asked, as far as it is theirs to know.
func told(err error) error {
	say := func(status int, message string) error {
		return &admin.Error{Status: status, Message: message, Cause: err}
	}
	var rule *tokendb.Error
	ruled := errors.As(err, &rule)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tokendb.ErrUnknownToken), errors.Is(err, store.ErrNotFound):
		return say(http.StatusNotFound, "token is not known")
	case errors.Is(err, store.ErrExists):
		return say(http.StatusConflict, "token is known already")
	case errors.Is(err, store.ErrConflict):
		return say(http.StatusConflict, "somebody else changes this token at the moment; try again")
	case errors.Is(err, tokendb.ErrNotAllowed) && ruled:
		return say(http.StatusBadRequest, "not allowed: "+rule.Detail)
	case errors.Is(err, op.ErrLater):
		return say(http.StatusServiceUnavailable, "the token stays as it is for now: "+
			op.ErrLater.Error())
	case errors.Is(err, routing.ErrNoAuthority), errors.Is(err, routing.ErrNoConnection):
		return say(http.StatusConflict, "the token stays as it is: no connection leads to the "+
			"certificate authority that issued its certificates")
	case contact.StatusOf(err) == wire.StatusRevokeCertificates:
		return say(http.StatusBadGateway, "the token stays as it is: its certificates could not be "+
			"revoked or released; the server's log says why")
	}
	return err
}
