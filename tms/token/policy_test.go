package token_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/token"
)

func TestParsePolicy(t *testing.T) {
	p, err := token.ParsePolicy(" re_enroll=yes;RENEW = False;;PIN_RESET=true; ")
	require.NoError(t, err)
	require.Equal(t, "RE_ENROLL=YES;RENEW=NO;PIN_RESET=YES", p.String())
	require.True(t, p.Allows(token.ReEnroll))
	require.False(t, p.Allows(token.Renew))
	require.True(t, p.Allows(token.PINReset))
	require.False(t, p.States(token.ForceFormat))
	require.False(t, p.Allows(token.ForceFormat), "the default, not stated")
	require.True(t, p.Allows(token.RenewKeepOldEncCerts), "the default, not stated")

	same, err := token.ParsePolicy("RENEW=YES;renew=true")
	require.NoError(t, err)
	require.Equal(t, token.Policy{}.With(token.Renew, true), same)

	empty, err := token.ParsePolicy("")
	require.NoError(t, err)
	require.True(t, empty.IsZero())
	require.Empty(t, empty.String())
}

func TestParsePolicyRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"RE_ENROL=YES":             `"RE_ENROL" is not known`,
		"RENEW":                    `"RENEW" is not NAME=VALUE`,
		"RENEW=":                   `RENEW is "", not YES or NO`,
		"RENEW=MAYBE":              `RENEW is "MAYBE"`,
		"=YES":                     `"" is not known`,
		"RENEW=YES;RENEW=NO":       "RENEW is stated both",
		"RENEW=YES,PIN_RESET=YES":  `RENEW is "YES,PIN_RESET=YES"`,
		"RENEW=NO;\x00=YES":        "is not known",
		strings.Repeat(";", 2000):  "2000 bytes",
		"RENEW=YES;" + "X\xff=NO":  "is not known",
		"RULE(9)=YES":              "is not known",
		strings.Repeat("A", 1000):  "A...",
		"RENEW=YES=NO":             `RENEW is "YES=NO"`,
		"RENEW\n=YES;FORCE FORMAT": "FORCE FORMAT",
	} {
		_, err := token.ParsePolicy(text)
		require.ErrorContains(t, err, want, "%.40q", text)
		require.Less(t, len(err.Error()), 300)
	}
}

// TestPolicyLayers puts a record over configuration over code.
func TestPolicyLayers(t *testing.T) {
	configured, err := token.ParsePolicy("RENEW=YES;PIN_RESET=YES")
	require.NoError(t, err)
	record, err := token.ParsePolicy("PIN_RESET=NO;FORCE_FORMAT=YES")
	require.NoError(t, err)
	got := record.Over(configured)
	require.Equal(t, "RENEW=YES;FORCE_FORMAT=YES;PIN_RESET=NO", got.String())
	require.True(t, got.Allows(token.ReEnroll))
	require.Equal(t, token.DefaultPolicy(), token.Policy{}.Over(token.DefaultPolicy()))
	require.Equal(t, "RE_ENROLL=YES;RENEW=NO;FORCE_FORMAT=NO;PIN_RESET=NO;RESET_PIN_RESET_TO_NO=NO;"+
		"RENEW_KEEP_OLD_ENC_CERTS=YES", token.DefaultPolicy().String())

	flipped := record.With(token.ForceFormat, false)
	require.False(t, flipped.Allows(token.ForceFormat))
	require.True(t, record.Allows(token.ForceFormat), "the original is a value")
	require.Equal(t, record, record.With(token.Rule(200), true))
	require.False(t, record.Allows(token.Rule(200)))
	require.Equal(t, "RULE(200)", token.Rule(200).String())
}

func TestPolicyInJSON(t *testing.T) {
	p, err := token.ParsePolicy("RENEW=YES")
	require.NoError(t, err)
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.Equal(t, `"RENEW=YES"`, string(b))
	var got token.Policy
	require.NoError(t, json.Unmarshal(b, &got))
	require.Equal(t, p, got)
	require.Error(t, json.Unmarshal([]byte(`"RENEW=EVER"`), &got))
}

func FuzzParsePolicy(f *testing.F) {
	for _, text := range []string{
		"", "RE_ENROLL=YES;RENEW=NO;FORCE_FORMAT=NO;PIN_RESET=NO;RESET_PIN_RESET_TO_NO=NO",
		"renew = true ;; PIN_RESET=false;", "RENEW=YES;RENEW=NO", "=;=", "RENEW_KEEP_OLD_ENC_CERTS=no",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := token.ParsePolicy(text)
		if err != nil {
			if !p.IsZero() || len(err.Error()) > 2000 {
				t.Fatalf("error %q with policy %q", err, p)
			}
			return
		}
		again, err := token.ParsePolicy(p.String())
		if err != nil || again != p || again.String() != p.String() {
			t.Fatalf("%q reads as %q, which reads as %q, %v", text, p, again, err)
		}
	})
}
