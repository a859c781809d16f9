// Package registration holds the steps about tokens that are registered in the users' directory: what
// an entry says, and what of it a token then holds. It writes the directory as its administrators do.
package registration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/lab"
	"tokenwright/features/steps/client"
	"tokenwright/features/steps/scene"
	people "tokenwright/fixtures/ldap"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		return context.WithValue(ctx, key{}, &state{names: map[string]token.Certificate{}}), nil
	})
	sc.Step(`^tokens are registered in (the embedded directory|OpenLDAP)$`, registeredIn)
	sc.Step(`^the directory says of "([^"]*)"$`, says)
	sc.Step(`^the "([^"]*)" certificate is known as "([^"]*)"$`, knownAs)
	sc.Step(`^the recovery agents let "([^"]*)" have the key of "([^"]*)"$`, share)
	sc.Step(`^the token holds (no certificates|"([^"]*)")$`, holds)
	sc.Step(`^"([^"]*)" is (valid|revoked|on hold)(?: for reason (\d+))?$`, is)
	sc.Step(`^the operator revokes "([^"]*)" at its certificate authority$`, revoke)
	sc.Step(`^(a|another) FORMATTED token of stock "([^"]*)" made by "([^"]*)"$`, formatted)
	sc.Step(`^"([^"]*)" gets (\d+) more encryption keys on the card, known as 2 to 9$`, more)
	sc.Step(`^the operator has certificates revoked when a token is formatted$`, revokeAtFormat)
	sc.Step(`^the record of "([^"]*)" on the token says (active|revoked|gone)$`, recordSays)
}

// state is what a scenario remembers.
type state struct {
	at    directory
	users []people.User
	names map[string]token.Certificate
}

type key struct{}

func from(ctx context.Context) *state { return ctx.Value(key{}).(*state) }

// types are the token types that directories name.
var types = []string{"externalRegAddToToken", "externalRegISEtoken"}

// registeredIn starts the directory, and has the system take registrations from it.
func registeredIn(ctx context.Context, where string) (err error) {
	st, sn := from(ctx), scene.From(ctx)
	if st.users, err = people.Users(); err != nil {
		return err
	}
	if where == "OpenLDAP" {
		st.at, err = startOpenLDAP(ctx, st.users)
	} else {
		st.at, err = startEmbedded(st.users)
	}
	if err != nil {
		return err
	}
	at := st.at
	sn.OnClose(func() error { return at.close() })
	config := map[string]string{
		"externalReg.enable":                      "true",
		"auths.instance.ldap1.ldap.ldapconn.port": strconv.Itoa(at.port()),
	}
	for _, typ := range types {
		for _, op := range []string{"enroll", "format"} {
			keys := "op." + op + "." + typ + ".update.symmetricKeys."
			config[keys+"enable"], config[keys+"requiredVersion"] = "true", "2"
		}
	}
	for name, value := range config {
		if err := sn.Configure(name, value); err != nil {
			return err
		}
	}
	return nil
}

// says has the directory say of a person what the table does, and nothing else of tokens.
func says(ctx context.Context, user string, table *godog.Table) error {
	st := from(ctx)
	attributes := map[string][]string{}
	for _, row := range table.Rows {
		name := row.Cells[0].Value
		value, err := fill(ctx, row.Cells[1].Value)
		if err != nil {
			return err
		}
		if value != "" {
			attributes[name] = append(attributes[name], value)
		}
	}
	for i := range st.users {
		if st.users[i].UID == user {
			st.users[i].Attributes = attributes
			return st.at.set(st.users)
		}
	}
	return fmt.Errorf("there is no user %q in the directory", user)
}

// placeholder is what stands in a table for what only the scenario knows.
var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// fill puts in the card's number, {card}, a certificate's serial number, {name}, or the number of its
// key, {key of name}.
func fill(ctx context.Context, text string) (string, error) {
	var errs []error
	out := placeholder.ReplaceAllStringFunc(text, func(p string) string {
		p = strings.Trim(p, "{}")
		name, isKey := strings.CutPrefix(p, "key of ")
		c, ok := from(ctx).names[name]
		switch {
		case p == "card":
			return scene.From(ctx).Card.CUID().String()
		case ok && isKey:
			return c.KeyID
		case ok:
			return connector.Serial(c.Serial).Decimal()
		}
		errs = append(errs, fmt.Errorf("nothing is known as %q", p))
		return ""
	})
	return out, errors.Join(errs...)
}

// heldBy lists the records of certificates that a card holds.
func heldBy(ctx context.Context, cuid keys.CUID) ([]token.Certificate, error) {
	list, err := records(ctx, cuid)
	return slices.DeleteFunc(list, func(c token.Certificate) bool {
		return c.Presence != token.Held
	}), err
}

func records(ctx context.Context, cuid keys.CUID) ([]token.Certificate, error) {
	l, err := running(ctx)
	if err != nil {
		return nil, err
	}
	db, ok := l.Store().(store.CertLister)
	if !ok {
		return nil, errors.New("the token database lists no certificates")
	}
	page, err := db.Certificates(ctx, store.CertQuery{CUID: cuid, Limit: store.MaxLimit})
	return page.Certificates, err
}

func running(ctx context.Context) (*lab.Lab, error) { return scene.From(ctx).Lab(ctx) }

// knownAs gives the certificate of a kind that the card holds a name.
func knownAs(ctx context.Context, keyType, name string) error {
	list, err := heldBy(ctx, scene.From(ctx).Card.CUID())
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.KeyType == keyType {
			from(ctx).names[name] = c
			return nil
		}
	}
	return fmt.Errorf("the token holds no %s certificate", keyType)
}

func named(ctx context.Context, name string) (token.Certificate, error) {
	c, ok := from(ctx).names[name]
	if !ok {
		return c, fmt.Errorf("nothing is known as %q", name)
	}
	return c, nil
}

// holds wants the token to hold exactly what is named, by its records and its own word. "a new signing"
// stands for one that nothing names.
func holds(ctx context.Context, none, list string) error {
	sn := scene.From(ctx)
	held, err := heldBy(ctx, sn.Card.CUID())
	if err != nil {
		return err
	}
	var got, serials []string
	for _, c := range held {
		got = append(got, nameOf(ctx, c))
		serials = append(serials, c.Serial)
	}
	var want []string
	if none != "no certificates" {
		want = strings.Split(list, ", ")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("by its records it holds %q", got)
	}
	return told(ctx, serials)
}

func nameOf(ctx context.Context, c token.Certificate) string {
	names := from(ctx).names
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name].CertID == c.CertID {
			return name
		}
	}
	return "a new " + c.KeyType
}

// formatted makes a card that somebody has formatted, putting the one before it aside.
func formatted(ctx context.Context, which, stock, user string) error {
	sn := scene.From(ctx)
	if which == "another" {
		sn.Second = sn.Card
		if err := sn.Second.Remove(ctx); err != nil {
			return err
		}
	}
	c, err := sn.NewCard(ctx, stock)
	if err != nil {
		return err
	}
	sn.Card = c
	if err := client.Operate(ctx, wire.OpFormat, user, "", ""); err != nil {
		return err
	}
	return client.Succeeded(ctx)
}

// more enrolls the card again and again, and names the encryption certificate of each time.
func more(ctx context.Context, user string, n int) error {
	for i := range n {
		if err := client.Operate(ctx, wire.OpEnroll, user, "", pin); err != nil {
			return err
		}
		if err := errors.Join(client.Succeeded(ctx), knownAs(ctx, "encryption", strconv.Itoa(i+2))); err != nil {
			return err
		}
	}
	return nil
}

func revokeAtFormat(ctx context.Context) error {
	config := map[string]string{}
	for _, typ := range types {
		config["op.format."+typ+".revokeCert"] = "true"
	}
	return scene.From(ctx).Reconfigure(ctx, config)
}

// share has two agents let a user have a key.
func share(ctx context.Context, user, name string) error {
	c, err := named(ctx, name)
	if err != nil {
		return err
	}
	l, err := running(ctx)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.KeyID, 10, 64)
	if err != nil {
		return fmt.Errorf("key of %s: %w", name, err)
	}
	agents := l.Authorities().KRA.Agents()
	q, err := agents.Make(ctx, lab.Agents[0], approval.Request{
		KeyID: id, Purpose: approval.Share, User: user, Reason: "they belong to the group",
	})
	if err != nil {
		return err
	}
	for _, agent := range lab.Agents[:2] {
		if _, err := agents.Vote(ctx, agent, q.ID, true); err != nil {
			return err
		}
	}
	_, err = agents.Fulfil(ctx, lab.Agents[0], q.ID, "")
	return err
}

var states = map[string]connector.CertificateState{
	"valid": connector.CertificateValid, "revoked": connector.CertificateRevoked,
	"on hold": connector.CertificateOnHold,
}

// is asks the CA.
func is(ctx context.Context, name, state, reason string) error {
	c, err := named(ctx, name)
	if err != nil {
		return err
	}
	l, err := running(ctx)
	if err != nil {
		return err
	}
	got, err := l.Certificate(ctx, connector.Serial(c.Serial))
	if err != nil {
		return err
	}
	if got.State != states[state] || reason != "" && reason != strconv.Itoa(int(got.Reason)) {
		return fmt.Errorf("it is %s for reason %d", got.State, int(got.Reason))
	}
	return nil
}

// revoke is what a CA's own operator does, without the token management system.
func revoke(ctx context.Context, name string) error {
	c, err := named(ctx, name)
	if err != nil {
		return err
	}
	l, err := running(ctx)
	if err != nil {
		return err
	}
	return l.Authorities().CA.Revoke(ctx, connector.RevokeRequest{
		Serial: connector.Serial(c.Serial), Reason: connector.ReasonSuperseded,
	})
}

func recordSays(ctx context.Context, name, want string) error {
	c, err := named(ctx, name)
	if err != nil {
		return err
	}
	list, err := records(ctx, scene.From(ctx).Card.CUID())
	if err != nil {
		return err
	}
	for _, have := range list {
		if have.CertID != c.CertID {
			continue
		}
		if string(have.Status) != want && string(have.Presence) != want {
			return fmt.Errorf("it says %s and %s", have.Status, have.Presence)
		}
		return nil
	}
	return errors.New("there is none")
}
