// Package server holds the steps about the system's own side: how it is configured, what of it is
// running, what its log says. It must not know how an operation goes.
package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/fixtures/ldap"
)

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Step(`^a token management system with the usual users$`, usualSystem)
	sc.Step(`^the configuration says$`, configure)
	sc.Step(`^the user directory is down$`, directoryDown)
	sc.Step(`^the token key service is down$`, keyServiceDown)
	sc.Step(`^the operator sets$`, operatorSets)
	sc.Step(`^the system does not start, and says "([^"]*)"$`, doesNotStart)
	sc.Step(`^the operator sets the required key version to (\d+)$`, requireVersion)
	sc.Step(`^the server's log names the session in every line of the operation$`, logNamesSession)
	sc.Step(`^the server's log holds neither the password nor a key$`, logHoldsNoSecret)
}

// usualSystem says what there will be; the first step that needs it starts it.
func usualSystem(ctx context.Context) error {
	if _, err := ldap.Users(); err != nil {
		return err
	}
	return nil
}

func configure(ctx context.Context, keys *godog.Table) error {
	for _, row := range keys.Rows {
		if err := scene.From(ctx).Configure(row.Cells[0].Value, row.Cells[1].Value); err != nil {
			return err
		}
	}
	return nil
}

func directoryDown(ctx context.Context) error {
	scene.From(ctx).Options().DirectoryDown = true
	return nil
}

func keyServiceDown(ctx context.Context) error {
	scene.From(ctx).Options().TKSDown = true
	return nil
}

// operatorSets changes the configuration of a running system.
func operatorSets(ctx context.Context, keys *godog.Table) error {
	config := map[string]string{}
	for _, row := range keys.Rows {
		config[row.Cells[0].Value] = row.Cells[1].Value
	}
	return scene.From(ctx).Reconfigure(ctx, config)
}

func doesNotStart(ctx context.Context, want string) error {
	_, err := scene.From(ctx).Lab(ctx)
	if err == nil {
		return errors.New("it starts")
	}
	if !strings.Contains(err.Error(), want) {
		return fmt.Errorf("it says: %w", err)
	}
	return nil
}

// requireVersion changes the configuration of a running system, as an operator does: edit, restart.
func requireVersion(ctx context.Context, version int) error {
	return scene.From(ctx).Reconfigure(ctx, map[string]string{
		"op.format.userKey.update.symmetricKeys.requiredVersion": strconv.Itoa(version),
	})
}

// operationLines are the log lines of operations, as the server wrote them.
func operationLines(ctx context.Context) ([]map[string]any, error) {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return nil, err
	}
	var out []map[string]any
	lines := bufio.NewScanner(strings.NewReader(l.Log()))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m map[string]any
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("the log line %q is not JSON: %w", lines.Text(), err)
		}
		if cuid, _ := m["cuid"].(string); cuid != "" {
			out = append(out, m)
		}
	}
	return out, lines.Err()
}

func logNamesSession(ctx context.Context) error {
	list, err := operationLines(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("the log holds no line about a card")
	}
	for _, m := range list {
		if s, _ := m["session"].(string); s == "" {
			return fmt.Errorf("the line %v names no session", m)
		}
	}
	return nil
}

func logHoldsNoSecret(ctx context.Context) error {
	sn := scene.From(ctx)
	l, err := sn.Lab(ctx)
	if err != nil {
		return err
	}
	log := strings.ToLower(l.Log())
	password, _ := ldap.Password("alice")
	set, err := sn.Card.Stock.FactoryKeys(sn.Card.Sim.KDD())
	if err != nil {
		return err
	}
	for name, secret := range map[string]string{
		"the password":    strings.ToLower(password),
		"the ENC key":     fmt.Sprintf("%x", set.ENC.Bytes()),
		"the MAC key":     fmt.Sprintf("%x", set.MAC.Bytes()),
		"the DEK":         fmt.Sprintf("%x", set.DEK.Bytes()),
		"the passphrase":  strings.ToLower(l.Passphrase()),
		"a developer key": "404142434445464748494a4b4c4d4e4f",
	} {
		if secret != "" && strings.Contains(log, secret) {
			return fmt.Errorf("the log holds %s", name)
		}
	}
	return nil
}
