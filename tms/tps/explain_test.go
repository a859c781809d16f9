package tps_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/conf"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/wire"
)

// explain asks what would happen to a card as it is recorded now.
func (l *lab) explain(op wire.Operation, user, typ string, card *simcard.Card) tps.Explained {
	l.t.Helper()
	q := tps.Question{Operation: op, UserID: user,
		Input: mapping.Input{CUID: card.CUID().String(), TokenType: typ}}
	rec, err := l.store.Token(l.t.Context(), card.CUID())
	if err == nil {
		q.Record = &rec
		q.Input.AppletMajor = 1
	}
	page, err := l.store.Tokens(l.t.Context(), store.TokenQuery{UserID: user})
	require.NoError(l.t, err)
	q.Others = page.Tokens
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(l.config), "tps")
	require.NoError(l.t, err)
	e, err := tps.Explain(tps.Options{Config: c, Dir: l.dir}, q)
	require.NoError(l.t, err)
	return e
}

// What is explained is what happens: the same operation on the same card, explained first.
func TestExplainedAsItHappens(t *testing.T) {
	other := func(l *lab, s token.State) {
		second := newCard(l.t, "gp211-scp02", simcard.WithSeed(8))
		l.mustEnroll(second)
		if s != token.Active {
			require.NoError(l.t, l.changeState(second, s))
		}
	}
	for name, c := range map[string]struct {
		lines []string
		set   func(l *lab, card *simcard.Card)
		op    wire.Operation
		user  string
		step  string // the last one that counted
		says  string
	}{
		"formatted":  {op: wire.OpEnroll, step: "user", says: "alice gets new keys"},
		"again":      {op: wire.OpFormat, step: "policy", says: "does not matter to a format"},
		"enrolled":   {op: wire.OpEnroll, set: enrolled, step: "policy", says: "it is enrolled again"},
		"terminated": {op: wire.OpEnroll, set: inState(token.Terminated), step: "transition", says: "35"},
		"lost":       {op: wire.OpEnroll, set: inState(token.PermLost), step: "transition", says: "32"},
		"damaged":    {op: wire.OpEnroll, set: inState(token.Damaged), step: "transition", says: "26"},
		"suspended":  {op: wire.OpFormat, set: inState(token.Suspended), step: "transition", says: "3:0"},
		"not again": {op: wire.OpEnroll, set: withPolicy("RE_ENROLL=NO"), step: "policy",
			says: "neither RENEW nor RE_ENROLL"},
		"renewal": {op: wire.OpEnroll, set: withPolicy("RENEW=YES"), step: "policy",
			says: "renewed, with the same keys"},
		"PIN": {op: wire.OpResetPIN, set: withPolicy("PIN_RESET=YES"), step: "policy",
			says: "may be reset"},
		"no PIN":     {op: wire.OpResetPIN, set: enrolled, step: "policy", says: "PIN_RESET is NO"},
		"PIN of two": {op: wire.OpResetPIN, step: "transition", says: "FORMATTED"},
		"another's":  {op: wire.OpEnroll, set: enrolled, user: "bob", step: "user", says: `"alice"'s`},
		"second": {op: wire.OpEnroll, step: "user", says: "has an active token already",
			set: func(l *lab, _ *simcard.Card) { other(l, token.Active) }},
		"no recovery": {op: wire.OpEnroll, step: "user", says: "can't be recovered",
			set: func(l *lab, _ *simcard.Card) { other(l, token.Damaged) }},
		"replacement": {op: wire.OpEnroll, step: "user", says: "replaces an earlier token",
			set: func(l *lab, _ *simcard.Card) { other(l, token.PermLost) }},
		"disabled": {op: wire.OpEnroll, lines: []string{"config.Profiles.userKey.state=Disabled"},
			step: "profile", says: "not Enabled"},
		"no login": {op: wire.OpEnroll, lines: []string{"op.enroll.userKey.auth.enable=false"},
			step: "profile", says: "asks nobody to log in"},
		"PIN is not set": {op: wire.OpResetPIN, set: withPolicy("PIN_RESET=YES"), step: "profile",
			says: "are not set", lines: []string{"op.pinReset.userKey.pinReset.enable=false"}},
		"no fit": {op: wire.OpEnroll, step: "mapping", says: "no mapping fits", lines: []string{
			"mappingResolver.enrollProfileMappingResolver.mapping.order=1"}},
		"no settings": {op: wire.OpEnroll, step: "profile", says: "op.enroll.odd.*", lines: []string{
			"mappingResolver.enrollProfileMappingResolver.mapping.order=3",
			"mappingResolver.enrollProfileMappingResolver.mapping.3.target.tokenType=odd"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := enrollLab(t, "defKeySet")
			card := newCard(t, "gp211-scp02")
			l.mustFormat(card)
			if c.set != nil {
				c.set(l, card)
			}
			if c.lines != nil {
				l.configure(enrollConfig("defKeySet", c.lines...)...)
			}
			user := c.user
			if user == "" {
				user = "alice"
			}
			e := l.explain(c.op, user, "userKey", card)
			last := e.Steps[len(e.Steps)-1]
			if last.What == "user" && c.step != "user" {
				last = e.Steps[len(e.Steps)-2]
			}
			assert.Equal(t, c.step, last.What)
			assert.Contains(t, last.Decision, c.says)
			end := l.operate(c.op, user, "userKey", card)
			assert.Equal(t, int(end.Status), e.Code, "%s\n%s", e.Why, l.log)
			if e.Code == 0 {
				assert.Equal(t, l.record(card.CUID()).Type, e.TokenType)
				assert.Equal(t, "defKeySet", e.KeySet)
			}
		})
	}
}

func enrolled(l *lab, card *simcard.Card) { l.mustEnroll(card) }

func inState(s token.State) func(*lab, *simcard.Card) {
	return func(l *lab, card *simcard.Card) { l.setState(card, s) }
}

func withPolicy(text string) func(*lab, *simcard.Card) {
	return func(l *lab, card *simcard.Card) {
		l.mustEnroll(card)
		l.setPolicy(card, text)
	}
}

// Under external registration the user's entry decides, and policies play no part.
func TestExplainRegisteredTokens(t *testing.T) {
	ask := func(op wire.Operation, attributes map[string][]string, lines ...string) tps.Explained {
		t.Helper()
		lines = append([]string{"externalReg.enable=true", "externalReg.default.tokenType=userKey",
			"externalReg.mappingResolver=keySetMappingResolver"}, lines...)
		c, err := conf.LoadReader("CS.cfg", strings.NewReader(mergeLines(labConfig, lines)), "tps")
		require.NoError(t, err)
		r := token.NewRecord([10]byte{0x40, 0x90}, token.Policy{}.With(token.ReEnroll, false)).
			InState(token.Active)
		r.UserID = "alice"
		e, err := tps.Explain(tps.Options{Config: c, Dir: t.TempDir()}, tps.Question{Operation: op,
			Input: mapping.Input{CUID: r.CUID.String()}, Record: &r, UserID: "alice",
			Attributes: attributes})
		require.NoError(t, err)
		return e
	}
	e := ask(wire.OpEnroll, nil)
	assert.Zero(t, e.Code, e.Why)
	var what []string
	for _, s := range e.Steps {
		what = append(what, s.What)
	}
	assert.Equal(t, []string{"key set", "registration", "profile", "transition", "policy", "user"}, what)
	assert.Equal(t, "userKey", e.TokenType)
	assert.Equal(t, "defKeySet", e.KeySet)
	assert.Equal(t, "soKey", ask(wire.OpEnroll, map[string][]string{"tokenType": {"soKey"}}).TokenType)
	assert.Equal(t, 43, ask(wire.OpEnroll,
		map[string][]string{"tokenCUID": {"FF906145C76224192D2B"}}).Code)
	assert.Equal(t, 26, ask(wire.OpEnroll,
		map[string][]string{"registrationtype": {"pinReset"}}).Code)
	assert.Equal(t, 23, ask(wire.OpEnroll, map[string][]string{"tokenType": {"odd"}}).Code)
	assert.Equal(t, 22, ask(wire.OpEnroll, nil,
		"mappingResolver.keySetMappingResolver.mapping.order=1").Code)
	assert.Zero(t, ask(wire.OpResetPIN, nil).Code, "PIN_RESET plays no part")
	e = ask(wire.OpFormat, nil, "externalReg.format.loginRequest.enable=false")
	assert.Zero(t, e.Code, e.Why)
	assert.Contains(t, e.Steps[1].Decision, "nobody logs in")
}

func TestExplainUnseenCards(t *testing.T) {
	ask := func(q tps.Question, lines ...string) (tps.Explained, error) {
		text := mergeLines(labConfig, lines)
		c, err := conf.LoadReader("CS.cfg", strings.NewReader(text), "tps")
		require.NoError(t, err)
		return tps.Explain(tps.Options{Config: c, Dir: t.TempDir()}, q)
	}
	e, err := ask(tps.Question{Operation: wire.OpEnroll})
	require.NoError(t, err)
	assert.Zero(t, e.Code)
	var what []string
	for _, s := range e.Steps {
		what = append(what, s.What)
	}
	assert.Equal(t, []string{"mapping", "profile", "key set", "transition", "policy"}, what)
	assert.Contains(t, e.Steps[3].Details[1], "FORMATTED to ACTIVE (0:4)")
	e, err = ask(tps.Question{Operation: wire.OpEnroll}, "op.enroll.allowUnknownToken=false")
	require.NoError(t, err)
	assert.Equal(t, 16, e.Code)
	e, err = ask(tps.Question{Operation: wire.OpFormat}, "op.format.mappingResolver=gone")
	require.NoError(t, err)
	assert.Equal(t, 23, e.Code)
	e, err = ask(tps.Question{Operation: wire.OpFormat, Input: mapping.Input{TokenType: "soKey"}},
		"op.format.mappingResolver=none", "op.format.keySetMappingResolver=keySetMappingResolver")
	require.NoError(t, err)
	assert.Zero(t, e.Code)
	assert.Equal(t, "soKey", e.TokenType)
	assert.NotEmpty(t, e.Steps[2].Mappings)
	e, err = ask(tps.Question{Operation: wire.OpUnblock})
	require.NoError(t, err)
	assert.Equal(t, 8, e.Code)
	_, err = ask(tps.Question{Operation: wire.OpEnroll}, "tokendb.allowedTransitions=7:4")
	require.ErrorContains(t, err, "UNFORMATTED to ACTIVE (7:4)")
}
