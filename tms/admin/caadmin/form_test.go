package caadmin

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
)

// What is known of a certificate comes through the form that travels.
func TestCertificateTravels(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]Certificate{
		"valid": {Serial: "1f", State: StateValid, Subject: "CN=a", Profile: "p", User: "anna",
			CUID: "40900062FF0200000B9C", NotBefore: at, NotAfter: at.Add(time.Hour), Issued: at,
			Request: "r1", Requester: "tps", Renews: "2e"},
		"revoked": {Serial: "1f", State: StateRevoked, Reason: "keyCompromise", RevokedAt: &at,
			NotBefore: at, NotAfter: at, Issued: at},
		"unspecified": {Serial: "1f", State: StateRevoked, Reason: "unspecified", RevokedAt: &at,
			NotBefore: at, NotAfter: at, Issued: at},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(infoOf(c, "CN=ca", at))
			require.NoError(t, err)
			var i certInfo
			require.NoError(t, json.Unmarshal(text, &i))
			got, err := i.certificate()
			require.NoError(t, err)
			assert.Equal(t, c, got)
		})
	}
	for _, i := range []certInfo{{ID: "0x"}, {ID: "-1"}, {ID: "0x1", Renews: "x"}} {
		_, err := i.certificate()
		require.Error(t, err)
	}
}

func TestStatusInDogtagsWords(t *testing.T) {
	at := time.Now()
	c := Certificate{NotBefore: at.Add(-time.Hour), NotAfter: at.Add(time.Hour)}
	for want, change := range map[string]func(*Certificate){
		"VALID":           func(c *Certificate) { c.State = StateValid },
		"EXPIRED":         func(c *Certificate) { c.State, c.NotAfter = StateValid, at },
		"REVOKED":         func(c *Certificate) { c.State = StateOnHold },
		"REVOKED_EXPIRED": func(c *Certificate) { c.State, c.NotAfter = StateRevoked, at },
		"INVALID":         func(c *Certificate) { c.State = StateToBeSigned },
	} {
		one := c
		change(&one)
		assert.Equal(t, want, status(one, at))
	}
	c.State, c.NotBefore = StateValid, at.Add(time.Minute)
	assert.Equal(t, "INVALID", status(c, at), "not yet")
}

func TestReasons(t *testing.T) {
	for text, want := range map[string]connector.Reason{"": 0, "1": 1, "keycompromise": 1,
		"Key_Compromise": 1, "certificateHold": 6, "AA_COMPROMISE": 10} {
		got, err := ParseReason(text)
		require.NoError(t, err)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"7", "8", "removeFromCRL", "-1", "whim"} {
		_, err := ParseReason(text)
		require.Error(t, err, text)
	}
	for _, text := range []string{"0x1F", "31"} {
		got, err := parseID(text)
		require.NoError(t, err)
		assert.Equal(t, connector.Serial("1f"), got)
	}
}
