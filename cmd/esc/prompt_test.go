package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/vpcd"
)

func TestInterruptAtAPrompt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	restored := false
	p, err := newPerson(desk{
		in: strings.NewReader(""), err: io.Discard, terminal: true,
		hidden:  func() ([]byte, error) { cancel(); select {} },
		restore: func() { restored = true },
	}, loginFlags{})
	require.NoError(t, err)
	_, err = p.NewPIN(ctx, 4, 10)
	assert.ErrorIs(t, err, context.Canceled)
	assert.True(t, restored, "the terminal shows again what is typed")
}

func TestNewPINIsTypedTwice(t *testing.T) {
	typed := []string{"1234", "1234", "1234", "1235"}
	p, err := newPerson(desk{
		in: strings.NewReader(""), err: io.Discard, terminal: true,
		hidden: func() ([]byte, error) {
			b := typed[0]
			typed = typed[1:]
			return []byte(b), nil
		},
	}, loginFlags{})
	require.NoError(t, err)
	pin, err := p.NewPIN(t.Context(), 4, 10)
	require.NoError(t, err)
	assert.Equal(t, "1234", pin.Reveal())
	_, err = p.NewPIN(t.Context(), 4, 10)
	assert.Error(t, err)
}

func TestReadLine(t *testing.T) {
	for in, want := range map[string]string{"a b\r\nc": "a b", "x": "x", "\n": "", " x \n": " x "} {
		p, err := newPerson(desk{in: strings.NewReader(in)}, loginFlags{passwordStdin: true})
		require.NoError(t, err)
		assert.Equal(t, want, p.password.Reveal())
	}
	for _, in := range []string{"", strings.Repeat("x", maxTyped+1)} {
		_, err := newPerson(desk{in: strings.NewReader(in)}, loginFlags{passwordStdin: true})
		assert.Error(t, err)
	}
}

func TestPlainProgressIsALineATenth(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out}
	for percent := -5; percent <= 105; percent++ {
		p.update(percent, "PROGRESS_APPLET_BLOCK")
	}
	p.update(100, "UNHEARD_OF")
	p.line("end")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 13)
	assert.Equal(t, "0% loading the applet", lines[0])
	assert.Equal(t, " 10% loading the applet", lines[1])
	assert.Equal(t, "100% UNHEARD_OF", lines[11])
}

func TestLanguage(t *testing.T) {
	for v, want := range map[string]string{"de_DE.UTF-8": "de", "en": "en", "C.UTF-8": "", "": "",
		"POSIX": ""} {
		assert.Equal(t, want, language(func(string) string { return v }), v)
	}
}

func TestExitCodes(t *testing.T) {
	assert.Equal(t, exitUsage, exitCode(errors.New("from cobra")))
	assert.Equal(t, exitOther, exitCode(done(errors.New("other"))))
	assert.Equal(t, exitOther, exitCode(done(context.Canceled)))
	assert.Equal(t, exitNoCard, exitCode(done(fmt.Errorf("x: %w", vpcd.ErrRemoved))))
	assert.Equal(t, exitDone, exitCode(done(nil)))
}
