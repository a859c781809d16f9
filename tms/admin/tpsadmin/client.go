package tpsadmin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tokenwright/tms/admin"
)

// Client asks a running token processing system.
type Client struct{ *admin.Client }

// List are the parameters of a list; what is empty does not narrow it.
type List struct {
	Token     string
	User      string
	Type      string
	States    []string
	Operation string
	Result    string
	Session   string
	// From is inclusive, Until exclusive: days or instants.
	From, Until string
	// After is where the page before ended, Size how many at most.
	After string
	Size  int
}

func (l List) query() url.Values {
	v := url.Values{"after": {l.After}}
	for name, text := range map[string]string{
		"tokenID": l.Token, "userID": l.User, "type": l.Type, "status": strings.Join(l.States, ","),
		"operation": l.Operation, "result": l.Result, "session": l.Session, "from": l.From,
		"until": l.Until,
	} {
		if text != "" {
			v.Set(name, text)
		}
	}
	if l.Size > 0 {
		v.Set("size", strconv.Itoa(l.Size))
	}
	return v
}

// Tokens lists tokens, the latest modified first.
func (c Client) Tokens(ctx context.Context, l List) (Page[Token], error) {
	return admin.Ask[Page[Token]](ctx, c.Client, http.MethodGet, Prefix+"/tokens", l.query(), nil)
}

// Activities lists the activity log, the latest first.
func (c Client) Activities(ctx context.Context, l List) (Page[Activity], error) {
	return admin.Ask[Page[Activity]](ctx, c.Client, http.MethodGet, Prefix+"/activities", l.query(),
		nil)
}

// Certificates lists certificate records, the oldest first.
func (c Client) Certificates(ctx context.Context, l List) (Page[Certificate], error) {
	return admin.Ask[Page[Certificate]](ctx, c.Client, http.MethodGet, Prefix+"/certs", l.query(), nil)
}

func tokenPath(cuid string) string { return Prefix + "/tokens/" + url.PathEscape(cuid) }

func because(why string) url.Values {
	if why == "" {
		return url.Values{}
	}
	return url.Values{"reason": {why}}
}

// Token gives one token.
func (c Client) Token(ctx context.Context, cuid string) (Token, error) {
	return admin.Ask[Token](ctx, c.Client, http.MethodGet, tokenPath(cuid), nil, nil)
}

// SetState moves a token to a state.
func (c Client) SetState(ctx context.Context, cuid, state, why string) (Token, error) {
	v := because(why)
	v.Set("status", state)
	return admin.Ask[Token](ctx, c.Client, http.MethodPost, tokenPath(cuid), v, nil)
}

// Modify changes user and policy as far as they are not empty. merge keeps the rules of the policy
// that are not stated.
func (c Client) Modify(ctx context.Context, cuid string, t Token, merge bool, why string) (
	Token, error,
) {
	v := because(why)
	v.Set("merge", strconv.FormatBool(merge))
	return admin.Ask[Token](ctx, c.Client, http.MethodPatch, tokenPath(cuid), v, t)
}

// Add records a card that nobody has seen yet.
func (c Client) Add(ctx context.Context, t Token, why string) (Token, error) {
	return admin.Ask[Token](ctx, c.Client, http.MethodPost, Prefix+"/tokens", because(why), t)
}

// Delete removes a token's record.
func (c Client) Delete(ctx context.Context, cuid, why string) error {
	return c.Do(ctx, http.MethodDelete, tokenPath(cuid), because(why), nil, nil)
}
