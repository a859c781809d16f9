package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/wire"
)

const newPIN = "741852963"

// newPINs are the commands that carry the PIN in the clear of a channel at security level 01:
// CREATE PIN and SET PIN of the applet, and a VERIFY PIN.
var newPINs = []string{
	"8440007F" + "11" + hex.EncodeToString([]byte(newPIN)) + "05AC036E04D8973F",
	"84040000" + "11" + hex.EncodeToString([]byte(newPIN)) + "05AC036E04D8973F",
	"B0420000" + "09" + hex.EncodeToString([]byte(newPIN)),
}

// enrolling logs a user in with a parameter of the server's own, and has a PIN set.
func enrolling(t *testing.T) func(context.Context, *wire.Conn) {
	return func(ctx context.Context, c *wire.Conn) {
		assert.Equal(t, wire.ExtendedLoginResponse{Fields: wire.Credentials{
			{ID: "UID", Value: wire.NewSecret("jane")},
			{ID: "SITE", Value: wire.NewSecret("north")},
			{ID: "PASSWORD", Value: wire.NewSecret("s3cret & more")}}},
			asks(ctx, t, c, wire.ExtendedLoginRequest{Title: "Sign in", Params: []wire.Param{
				{ID: "UID", Name: "User ID", Kind: wire.ParamString},
				{ID: "SITE", Name: "Your site", Kind: wire.ParamString},
				{ID: "PASSWORD", Name: "Password", Kind: wire.ParamPassword}}}))
		settingPIN(t)(ctx, c)
	}
}

// settingPIN asks for a PIN and gives it to the card.
func settingPIN(t *testing.T) func(context.Context, *wire.Conn) {
	return func(ctx context.Context, c *wire.Conn) {
		asks(ctx, t, c, wire.StatusUpdateRequest{Percent: 10, Task: "PROGRESS_PROCESS_PROFILE"})
		assert.Equal(t, wire.NewPINResponse{PIN: wire.NewSecret(newPIN)},
			asks(ctx, t, c, wire.NewPINRequest{MinLength: 4, MaxLength: 10}))
		for _, text := range newPINs {
			pdu, _ := hex.DecodeString(text)
			asks(ctx, t, c, wire.TokenPDURequest{PDU: pdu})
		}
		asks(ctx, t, c, wire.StatusUpdateRequest{Percent: 92, Task: "PROGRESS_WRITE_OBJECTS"})
	}
}

func TestEnrollAsksWhatTheServerRequires(t *testing.T) {
	url, ca := tps(t, wire.StatusNoError, enrolling(t))
	port := freePort(t)
	plug(t, port, &blankCard{})
	d := desk{
		in: strings.NewReader("jane\nnorth\n"), terminal: true, bar: true,
		hidden: typist("s3cret & more", "123", newPIN, newPIN),
	}
	trace := filepath.Join(t.TempDir(), "trace.txt")
	code, out, errOut := runEsc(t, d, "enroll", "--url", url, "--ca", ca, "--vpcd", port,
		"--trace", trace)
	require.Equal(t, exitDone, code, errOut)
	assert.Contains(t, out, "Card "+cuid+" is enrolled (3 commands, ")
	assert.Contains(t, errOut, "Enrolling card "+cuid)
	assert.Contains(t, errOut, "Sign in\nUser ID: Your site: Password: \n")
	assert.Contains(t, errOut, "10% choosing the profile\x1b[K\nNew PIN (4 to 10 characters): \n"+
		"the new PIN has 3 characters, and the server wants 4 to 10\n"+
		"New PIN (4 to 10 characters): \nNew PIN again: \n", "a prompt has a line of its own")

	b, err := os.ReadFile(trace)
	require.NoError(t, err)
	assert.Contains(t, string(b), "session 0f3a")
	for _, secret := range []string{newPIN, "373431383532", "s3cret", "123\n"} {
		assert.NotContains(t, strings.ToUpper(string(b)), strings.ToUpper(secret))
		assert.NotContains(t, out+errOut, secret)
	}
}

func TestEnrollFromFiles(t *testing.T) {
	url, ca := tps(t, wire.StatusNoError, settingPIN(t))
	port := freePort(t)
	plug(t, port, &blankCard{issuer: url + "/tps/phoneHome", state: "0F"})
	code, out, errOut := runEsc(t, desk{}, "enroll", "--ca", ca, "--vpcd", port, "--json",
		"--pin-file", write(t, newPIN+"\n"))
	require.Equal(t, exitDone, code, errOut)
	assert.Contains(t, errOut, "The card is enrolled already")
	var got outcome
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	got.Seconds = 0
	assert.Equal(t, outcome{Operation: "enroll", Done: true, Name: "NO_ERROR",
		Message: "The operation is done.", Server: url + "/tps/tps", Session: "0f3a", CUID: cuid,
		Applet: "1.4.58768072", State: "personalized", Commands: 3}, got)
	assert.NotContains(t, out+errOut, newPIN)
}

func TestPINReset(t *testing.T) {
	url, ca := tps(t, wire.StatusNoError, settingPIN(t))
	port := freePort(t)
	plug(t, port, &blankCard{issuer: url, state: "0F"})
	code, out, errOut := runEsc(t, desk{in: strings.NewReader(newPIN + "\n")}, "pin-reset",
		"--url", url, "--ca", ca, "--vpcd", port, "--pin-stdin")
	require.Equal(t, exitDone, code, errOut)
	assert.Contains(t, out, "Card "+cuid+" has its new PIN")
	assert.Contains(t, errOut, "10% choosing the profile\n")
	assert.NotContains(t, out+errOut, newPIN)
}

// What a client asks for: a renewal is an enrollment, and only where the server chooses a profile
// by it does the client name a token type.
func TestWhatTheServerIsAskedFor(t *testing.T) {
	for command, want := range map[string]struct {
		operation wire.Operation
		profiled  bool
	}{
		"format": {wire.OpFormat, true}, "enroll": {wire.OpEnroll, true},
		"renew": {wire.OpEnroll, true}, "pin-reset": {wire.OpResetPIN, false},
	} {
		t.Run(command, func(t *testing.T) {
			begun := make(chan wire.BeginOp, 1)
			url, ca := tpsAsked(t, wire.StatusNoError, nil, begun)
			port := freePort(t)
			plug(t, port, &blankCard{issuer: url + "/tps/phoneHome", state: "0F"})
			args := []string{command, "--ca", ca, "--vpcd", port}
			if command != "format" {
				args = append(args, "--pin-file", write(t, newPIN))
			}
			code, _, errOut := runEsc(t, desk{}, args...)
			require.Equal(t, exitDone, code, errOut)
			begin := <-begun
			assert.Equal(t, want.operation, begin.Operation)
			_, named := begin.Extensions.Get(wire.ExtTokenType)
			assert.Equal(t, want.profiled, named)
		})
	}
}

func TestRenewLeavesOtherCardsAlone(t *testing.T) {
	begun := make(chan wire.BeginOp, 2)
	url, ca := tpsAsked(t, wire.StatusDisabledToken, nil, begun)
	for state, card := range map[string]*blankCard{
		"no applet": {}, "formatted": {issuer: url},
	} {
		port := freePort(t)
		plug(t, port, card)
		code, out, errOut := runEsc(t, desk{}, "renew", "--url", url, "--ca", ca, "--vpcd", port,
			"--json")
		assert.Equal(t, exitOther, code)
		assert.Contains(t, errOut, "not enrolled (state: "+state+")")
		assert.Contains(t, out, `"code": 26`)
	}
	assert.Empty(t, begun, "no server was asked")
	port := freePort(t)
	plug(t, port, &blankCard{issuer: url, state: "0F"})
	code, _, errOut := runEsc(t, desk{}, "renew", "--url", url, "--ca", ca, "--vpcd", port)
	assert.Equal(t, exitRefused, code)
	assert.Contains(t, errOut, "esc: renew: This operation is not allowed with this card. (code 26")
}

func TestNewPINIsNotThere(t *testing.T) {
	tests := []struct {
		name string
		pin  string
		says string
	}{
		{"none given", "", "give --pin-file or --pin-stdin"},
		{"too short", "123", "has 3 characters, and the server wants 4 to 10"},
		{"too long", strings.Repeat("1", 11), "has 11 characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, ca := tps(t, -1, func(ctx context.Context, c *wire.Conn) {
				assert.NoError(t, c.Write(ctx, wire.NewPINRequest{MinLength: 4, MaxLength: 10}))
				_, err := c.Read(ctx)
				assert.Error(t, err, "nothing is sent")
			})
			port := freePort(t)
			plug(t, port, &blankCard{})
			args := []string{"enroll", "--url", url, "--ca", ca, "--vpcd", port, "--json"}
			if tt.pin != "" {
				args = append(args, "--pin-file", write(t, tt.pin))
			}
			code, out, errOut := runEsc(t, desk{}, args...)
			assert.Equal(t, exitOther, code)
			assert.Contains(t, errOut, tt.says)
			assert.Contains(t, out, `"name": "MAC_RESET_PIN_PDU"`)
			if tt.pin != "" {
				assert.NotContains(t, out+errOut, tt.pin)
			}
		})
	}
}

func TestWhatToDoWhenItBreaksOff(t *testing.T) {
	for command, again := range map[string]string{
		"format": "format the card again", "enroll": "enroll the card again",
		"pin-reset": "reset it again", "renew": "renew the card again",
	} {
		url, ca := tps(t, -1, func(ctx context.Context, c *wire.Conn) {
			asks(ctx, t, c, wire.TokenPDURequest{PDU: []byte{0, 0xA4, 4, 0}})
		})
		port := freePort(t)
		plug(t, port, &blankCard{issuer: url, state: "0F"})
		args := []string{command, "--url", url, "--ca", ca, "--vpcd", port}
		if command == "pin-reset" {
			args = append(args, "--pin-file", write(t, newPIN))
		}
		code, _, errOut := runEsc(t, desk{}, args...)
		assert.Equal(t, exitNoTPS, code, command)
		assert.Contains(t, errOut, "(code 28)")
		assert.Contains(t, errOut, again)
	}
}
