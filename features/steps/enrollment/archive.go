package enrollment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/lab"
	"tokenwright/features/programs"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/connector"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/token"
)

func addArchiveSteps(sc *godog.ScenarioContext) {
	sc.Step(`^the key of the "([^"]*)" certificate is archived nowhere$`, archivedNowhere)
	sc.Step(`^the archive holds (\d+) keys? made for the card$`, archiveHolds)
	sc.Step(`^the audit trail of the archive holds (\d+) (done|refused) "([^"]*)" (?:entry|entries) about the card$`, trailHolds)
	sc.Step(`^the audit trail of the archive is unbroken$`, trailUnbroken)
	sc.Step(`^the token's record is falsified to belong to "([^"]*)"$`, falsified)
	sc.Step(`^agent "([^"]*)" asks for the key of the "([^"]*)" certificate$`, agentAsks)
	sc.Step(`^agent "([^"]*)" (approves|rejects)$`, agentVotes)
	sc.Step(`^agent "([^"]*)" cannot (have the key|ask)$`, agentCannot)
	sc.Step(`^agent "([^"]*)" gets a key that opens with openssl what was sealed for the certificate$`, agentOpens)
}

func keyOf(ctx context.Context, keyType string) (connector.KeyInfo, error) {
	cert, err := mine(ctx, keyType)
	if err != nil {
		return connector.KeyInfo{}, err
	}
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return connector.KeyInfo{}, err
	}
	return l.Authorities().KRA.FindKey(ctx, connector.KeyQuery{Certificate: cert.Raw})
}

func archivedNowhere(ctx context.Context, keyType string) error {
	info, err := keyOf(ctx, keyType)
	switch {
	case err == nil:
		return fmt.Errorf("it is archived as key %s of %q", info.KeyID, info.UserID)
	case errors.Is(err, connector.ErrKeyNotFound):
		return nil
	}
	return err
}

// agents are what recovery agents may do, seen by the first of them.
func agents(ctx context.Context) (kra.Agents, error) {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return kra.Agents{}, err
	}
	return l.Authorities().KRA.Agents(), nil
}

func archiveHolds(ctx context.Context, want int) error {
	a, err := agents(ctx)
	if err != nil {
		return err
	}
	list, err := a.Keys(ctx, lab.Agents[0], keydb.KeyFilter{CUID: scene.From(ctx).Card.CUID()})
	if err == nil && len(list) != want {
		err = fmt.Errorf("it holds %d", len(list))
	}
	return err
}

func trailHolds(ctx context.Context, want int, how, kind string) error {
	a, err := agents(ctx)
	if err != nil {
		return err
	}
	found, seen := 0, []string{}
	for after, more := int64(0), true; more; {
		list, err := a.Events(ctx, lab.Agents[0], keydb.EventFilter{After: after})
		if err != nil {
			return err
		}
		more = len(list) > 0
		for _, e := range list {
			if after = e.Seq; e.CUID != scene.From(ctx).Card.CUID().String() {
				continue
			}
			seen = append(seen, fmt.Sprintf("%s, refused %t", e.Kind, e.Refused))
			if string(e.Kind) == kind && e.Refused == (how == "refused") {
				found++
			}
		}
	}
	if found != want {
		return fmt.Errorf("it holds %d\n%s", found, strings.Join(seen, "\n"))
	}
	return nil
}

func trailUnbroken(ctx context.Context) error {
	a, err := agents(ctx)
	if err != nil {
		return err
	}
	_, err = a.Verify(ctx, lab.Agents[0])
	return err
}

// falsified is what somebody with access to the token database, but not to the archive, might do.
func falsified(ctx context.Context, user string) error {
	return change(ctx, func(r *token.Record) { r.UserID = user })
}

func agentAsks(ctx context.Context, agent, keyType string) error {
	info, err := keyOf(ctx, keyType)
	if err != nil {
		return err
	}
	a, err := agents(ctx)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(string(info.KeyID), 10, 64)
	if err != nil {
		return err
	}
	from(ctx).request, from(ctx).askErr = a.Make(ctx, agent, approval.Request{
		KeyID: id, Purpose: approval.Export, Reason: "the person has left",
	})
	return nil
}

func agentVotes(ctx context.Context, agent, how string) error {
	if err := from(ctx).askErr; err != nil {
		return err
	}
	a, err := agents(ctx)
	if err != nil {
		return err
	}
	_, err = a.Vote(ctx, agent, from(ctx).request.ID, how == "approves")
	return err
}

// exportPassphrase is of the scenario only.
const exportPassphrase = "correct horse battery staple"

func agentCannot(ctx context.Context, agent, what string) error {
	if what == "ask" {
		if !errors.Is(from(ctx).askErr, approval.ErrNotAgent) {
			return fmt.Errorf("it was not refused as no agent: %w", errors.Join(from(ctx).askErr))
		}
		return nil
	}
	a, err := agents(ctx)
	if err != nil {
		return err
	}
	out, err := a.Fulfil(ctx, agent, from(ctx).request.ID, exportPassphrase)
	if err == nil || len(out.Key) > 0 {
		return errors.New("the agent has it")
	}
	for _, want := range []error{
		approval.ErrNotApproved, approval.ErrNotRequester, approval.ErrEnded, approval.ErrNotAgent,
	} {
		if errors.Is(err, want) {
			return nil
		}
	}
	return err
}

// agentOpens seals something for the certificate and opens it with the exported key, both by openssl.
func agentOpens(ctx context.Context, agent string) (err error) {
	a, err := agents(ctx)
	if err != nil {
		return err
	}
	out, err := a.Fulfil(ctx, agent, from(ctx).request.ID, exportPassphrase)
	if err != nil {
		return err
	}
	cert, err := mine(ctx, "encryption")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tokenwright-agent-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	const text = "For the person's eyes only.\n"
	for name, b := range map[string][]byte{
		"certificate.der": cert.Raw, "key.pem": out.Key, "message": []byte(text),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	for _, c := range []programs.Call{
		{Args: []string{
			"cms", "-encrypt", "-binary", "-in", "message", "-outform", "DER", "-out", "sealed",
			"-recip", "certificate.der",
		}},
		{Args: []string{
			"cms", "-decrypt", "-inform", "DER", "-in", "sealed", "-recip", "certificate.der",
			"-inkey", "key.pem", "-passin", "env:PASSPHRASE", "-out", "opened",
		}, Env: []string{"PASSPHRASE=" + exportPassphrase}},
	} {
		c.Name, c.Dir = "openssl", dir
		r, err := programs.Run(ctx, c)
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			return err
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "opened"))
	if err == nil && string(got) != text {
		err = fmt.Errorf("it opens %q", got)
	}
	return err
}
