package tps_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/wire"
)

// requests gives the requests for certificates that the CA has answered, by profile.
func (c *testCA) requests() map[string]connector.EnrollRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]connector.EnrollRequest{}
	for _, cert := range c.issued {
		out[cert.profile] = cert.req
	}
	return out
}

// Subject and alternative names of a request are what the patterns make of the directory entry, but
// only where delegation is on; a value of the directory stays one value.
func TestDelegation(t *testing.T) {
	const key = "op.enroll.userKey.keyGen."
	patterns := []string{
		key + "signing.dnpattern=CN=$auth.cn$ $auth.mail$\\, $cuid$,O=$profileId$",
		key + "signing.SANpattern=$auth.mail$, $msn$@cards.example ,plain",
	}
	for name, on := range map[string]bool{"on": true, "off": false} {
		t.Run(name, func(t *testing.T) {
			l := enrollLab(t, "defKeySet", patterns...)
			if on {
				l.configure(enrollConfig("defKeySet",
					append(patterns, "externalReg.delegation.enable=true")...)...)
			}
			card := newCard(t, stocks[0].name)
			l.mustEnroll(card)
			got := l.ca.requests()
			plain := got["caTokenUserEncryptionKeyEnrollment"]
			assert.Empty(t, plain.Subject)
			assert.Empty(t, plain.SANPatterns, "a key type without patterns has none")
			signing := got["caTokenUserSigningKeyEnrollment"]
			if !on {
				assert.Empty(t, signing.Subject)
				assert.Empty(t, signing.SANPatterns)
				return
			}
			assert.Equal(t, `CN=alice alice@example.com\, `+card.CUID().String()+",O=userKey",
				signing.Subject)
			require.Len(t, signing.SANPatterns, 3)
			assert.Equal(t, "alice@example.com", signing.SANPatterns[0])
			assert.Regexp(t, "^[0-9A-F]{8}@cards.example$", signing.SANPatterns[1])
			assert.Equal(t, "plain", signing.SANPatterns[2])
		})
	}
}

// A pattern that cannot be filled ends the enrollment before a CA is asked for that certificate, and
// whoever reads the log is told what is missing.
func TestDelegationWantsEveryName(t *testing.T) {
	for _, line := range []string{
		"op.enroll.userKey.keyGen.signing.dnpattern=CN=$auth.rank$",
		"op.enroll.userKey.keyGen.signing.SANpattern=$auth.mail$,$auth.rank$",
		"op.enroll.userKey.keyGen.signing.dnpattern=CN=$nothing$",
	} {
		l := enrollLab(t, "defKeySet", line, "externalReg.delegation.enable=true")
		card := newCard(t, stocks[0].name)
		assert.Equal(t, wire.StatusMisconfiguration, l.enroll(card).Status, line)
		assert.Empty(t, l.ca.requests())
		assert.Contains(t, l.log.String(), "nothing is known of user alice that is called ")
		assert.False(t, slices.Contains(l.history(card.CUID()), "enrollment success"))
	}
}
