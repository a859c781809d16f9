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

// typist types one line after the other, unseen.
func typist(lines ...string) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(lines) == 0 {
			return nil, io.EOF
		}
		b := []byte(lines[0])
		lines = lines[1:]
		return b, nil
	}
}

func TestNewPINIsTypedTwice(t *testing.T) {
	tests := []struct {
		name  string
		typed []string
		want  string
		says  string
	}{
		{"well", []string{"1234", "1234"}, "1234", ""},
		{"after a slip", []string{"1234", "1235", "4321", "4321"}, "4321", "the two PINs differ"},
		{"after one too short", []string{"123", "1234", "1234"}, "1234", "has 3 characters"},
		{"after one too long", []string{"12345678901", "1234", "1234"}, "1234", "has 11 characters"},
		{"after one too long in bytes", []string{"éééééé", "éé", "éé"}, "éé", "has 12 bytes"},
		{"at both limits", []string{"1234567890", "1234567890"}, "1234567890", ""},
		{"never", []string{"1", "12", "123"}, "", "has 3 characters"},
		{"not twice", []string{"1234", "", "1234", "x", "1234", "4321"}, "", "the two PINs differ"},
		{"halfway", []string{"1234"}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var shown strings.Builder
			p, err := newPerson(desk{in: strings.NewReader(""), err: &shown, terminal: true,
				hidden: typist(tt.typed...), restore: func() {}}, loginFlags{})
			require.NoError(t, err)
			p.tell = (&progress{w: &shown}).line
			pin, err := p.NewPIN(t.Context(), 4, 10)
			if assert.Equal(t, tt.want == "", err != nil, err); err == nil {
				assert.Equal(t, tt.want, pin.Reveal())
			}
			assert.Contains(t, shown.String(), tt.says)
			for _, line := range tt.typed {
				if line != "" && len(line) > 2 {
					assert.NotContains(t, shown.String(), line)
				}
			}
		})
	}
}

func TestPINFromAFileOrAPipe(t *testing.T) {
	p, err := newPerson(desk{in: strings.NewReader("s3cret\n1234\nrest")},
		loginFlags{passwordStdin: true, pinStdin: true})
	require.NoError(t, err)
	assert.Equal(t, "s3cret", p.password.Reveal(), "the password is the first line")
	pin, err := p.NewPIN(t.Context(), 4, 10)
	require.NoError(t, err)
	assert.Equal(t, "1234", pin.Reveal())

	_, err = newPerson(desk{in: strings.NewReader("s3cret\n")},
		loginFlags{passwordStdin: true, pinStdin: true})
	assert.ErrorContains(t, err, "reading new PIN")

	p, err = newPerson(desk{in: strings.NewReader("")}, loginFlags{pinFile: write(t, "12 34\r\n")})
	require.NoError(t, err)
	pin, err = p.NewPIN(t.Context(), 5, 5)
	require.NoError(t, err)
	assert.Equal(t, "12 34", pin.Reveal())
	_, err = p.NewPIN(t.Context(), 6, 10)
	assert.ErrorContains(t, err, "has 5 characters, and the server wants 6 to 10")
	assert.NotContains(t, err.Error(), "12 34")
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

func TestProgressNeverGoesBack(t *testing.T) {
	var out strings.Builder
	p := progress{w: &out}
	for _, percent := range []int{30, 5, 31, -1, 200} {
		p.update(percent, "PROGRESS_APPLET_BLOCK")
	}
	p.update(50, "PROGRESS_DONE")
	assert.Equal(t, " 30% loading the applet\n100% loading the applet\n100% done\n", out.String())
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

func TestAnInterruptIsCalledOne(t *testing.T) {
	text := explain(done(brokenOffError{fmt.Errorf("waiting: %w", context.Canceled), "Do it again."}))
	assert.Equal(t, "waiting: interrupted\nDo it again.", text)
}
