package profile

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/token"
)

func TestShippedEnrollments(t *testing.T) {
	s, err := settings(t, "")
	require.NoError(t, err)
	for name, keyTypes := range map[string]string{
		"userKey": "signing encryption", "userKeyTemporary": "auth signing encryption",
		"soKey": "signing encryption", "soKeyTemporary": "auth signing encryption",
		"tokenKey": "signing", "delegateIEtoken": "authentication",
		"delegateISEtoken":    "signing authentication",
		"externalRegISEtoken": "signing authentication encryption", "externalRegAddToToken": "",
	} {
		e, ok := s.Enrolls[name]
		require.True(t, ok, name)
		assert.Equal(t, keyTypes, strings.Join(e.KeyTypes, " "), name)
		assert.Equal(t, name == "tokenKey", e.Device, name)
		for _, k := range e.Keys {
			assert.Equal(t, 2048, k.Bits, "%s %s", name, k.Name)
			assert.Equal(t, content.PairSlots(k.Container), k.Slots, "%s %s", name, k.Name)
			assert.NotEmpty(t, k.ProfileID, "%s %s", name, k.Name)
		}
	}
	assert.Len(t, s.Enrolls, 9)
	assert.Len(t, s.PINResets, 1)
	assert.Equal(t, PIN{Min: 4, Max: 10, Tries: 127}, s.PINResets["userKey"].PIN)
	assert.False(t, s.PINResets["userKey"].UpdateApplet)
}

func TestShippedUserKey(t *testing.T) {
	s, err := settings(t, "")
	require.NoError(t, err)
	e := s.Enrolls["userKey"]
	assert.Equal(t, "userKeyTemporary", e.Temporary)
	assert.Equal(t, "$auth.cn$", e.TokenName)
	assert.Equal(t, connector.WrapAESKWP, e.Wrap)
	assert.True(t, e.SetPIN && e.Combined && e.Compress && e.UpdateApplet && e.Login)
	assert.False(t, e.ServerSide())
	signing, encryption := e.Keys["signing"], e.Keys["encryption"]
	assert.Equal(t, content.SigningPrivate, signing.Private)
	assert.Equal(t, content.SigningPublic, signing.Public)
	assert.Equal(t, content.EncryptionPrivate, encryption.Private)
	assert.Equal(t, content.EncryptionPublic, encryption.Public)
	assert.Equal(t, coolkey.SlotPair{Private: 4, Public: 5}, encryption.Slots)
	assert.True(t, encryption.Archive)
	assert.False(t, signing.Archive)
	assert.Equal(t, Loss{Scheme: NewKey, Revoke: true, Reason: connector.ReasonCertificateHold},
		signing.Loss[token.ReasonOnHold])
	assert.Equal(t, Loss{Scheme: RecoverLast}, encryption.Loss[token.ReasonDestroyed])
	assert.Equal(t, []string{"signing", "encryption"}, e.Recovery[token.ReasonKeyCompromise])
	require.Len(t, e.Renewal, 2)
	assert.Equal(t, "caTokenUserSigningKeyRenewal", e.Renewal[0].ProfileID)
	auth := s.Enrolls["userKeyTemporary"].Keys["auth"]
	assert.Equal(t, coolkey.OwnerAnyone, auth.Owner)
	assert.False(t, auth.Overwrite)
	assert.Equal(t, RecoverLast,
		s.Enrolls["userKeyTemporary"].Keys["encryption"].Loss[token.ReasonOnHold].Scheme)
}

func TestKeysOnCurvesAgree(t *testing.T) {
	s, err := settings(t, "op.enroll.userKey.keyGen.encryption.alg=5\n"+
		"op.enroll.userKey.keyGen.encryption.keySize=384\n")
	require.NoError(t, err)
	k := s.Enrolls["userKey"].Keys["encryption"]
	assert.True(t, k.EC)
	assert.Equal(t, content.AgreementPrivate, k.Private)
	assert.Equal(t, content.Token, k.Public)
}

// No applet imports a key on a curve, which would only come to light when the key is archived and certified.
func TestKeysOnCurvesAreMadeOnTheCard(t *testing.T) {
	const k = "op.enroll.userKey.keyGen.encryption."
	const curve = k + "alg=5\n" + k + "keySize=384\n"
	_, err := settings(t, curve+k+"serverKeygen.enable=true\n")
	require.ErrorIs(t, err, conf.ErrValue)
	assert.ErrorContains(t, err, "CS.cfg:3: "+k+"serverKeygen.enable")
	assert.ErrorContains(t, err, "only RSA keys")
	s, err := settings(t, curve+k+"serverKeygen.enable=false\n")
	require.NoError(t, err)
	assert.True(t, s.Enrolls["userKey"].Keys["encryption"].EC)
}

// Each mistake is named with the key, and with file and line.
func TestMistakesInEnrollments(t *testing.T) {
	const u = "op.enroll.userKey."
	for line, want := range map[string]string{
		u + "keyGen.signing.keySize=1000":                                        "keySize",
		u + "keyGen.signing.keySize=1025":                                        "whole bytes",
		u + "keyGen.signing.alg=5":                                               "keySize",
		u + "keyGen.signing.alg=3":                                               "neither RSA",
		u + "keyGen.signing.certId=X1":                                           "not C0 to CF",
		u + "keyGen.signing.certAttrId=c2":                                       "says c1",
		u + "keyGen.signing.privateKeyAttrId=k4":                                 "says k2",
		u + "keyGen.signing.publicKeyNumber=2":                                   "publicKeyAttrId",
		u + "keyGen.encryption.certId=C1":                                        "certAttrId",
		u + "keyGen.signing.keyUser=16":                                          "keyUser",
		u + "keyGen.keyType.value.1=bogus":                                       "nothing is configured for key type",
		u + "keyGen.keyType.value.1=signing":                                     "listed twice",
		u + "keyGen.keyType.num=3":                                               "value.2",
		u + "keyGen.aesKeyWrapAlg=ROT13":                                         "aesKeyWrapAlg",
		u + "keyGen.signing.recovery.onHold.scheme=None":                         "scheme",
		u + "keyGen.signing.recovery.onHold.scheme=GenerateNewKeyandRecoverLast": "beside a new one",
		u + "keyGen.signing.recovery.onHold.revokeCert.reason=8":                 "revokeCert.reason",
		u + "pinReset.pin.minLen=3":                                              "minLen",
		u + "pinReset.pin.minLen=11":                                             "maxLen",
		u + "pinReset.pin.maxLen=17":                                             "maxLen",
		u + "temporaryToken.tokenType=no":                                        "no such token type",
		u + "renewal.signing.ca.profileId=":                                      "profileId",
		"tps.connector.ca1.caSKI=?":                                              "base64",
	} {
		_, err := settings(t, "# one line before\n"+line+"\n")
		if !assert.Error(t, err, line) {
			continue
		}
		assert.ErrorContains(t, err, want, line)
		var e *conf.Error
		require.ErrorAs(t, err, &e, line)
	}
}

func TestGracePeriod(t *testing.T) {
	const day = 24 * time.Hour
	expiry := time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC)
	r := Renewal{Grace: true, Before: 30 * day, After: 10 * day}
	for offset, want := range map[time.Duration]bool{
		-30*day - 1: false, -30 * day: true, 0: true, 10 * day: true, 10*day + 1: false,
	} {
		assert.Equal(t, want, r.In(expiry, expiry.Add(offset)), offset)
	}
	assert.True(t, Renewal{}.In(expiry, expiry.AddDate(-5, 0, 0)))
}

func TestExpand(t *testing.T) {
	value := func(name string) (string, bool) {
		v, ok := map[string]string{"userid": "alice", "cuid": "4090"}[name]
		return v, ok
	}
	for pattern, want := range map[string]string{
		"":                         "",
		"plain":                    "plain",
		"signing key for $userid$": "signing key for alice",
		"$userid$$cuid$":           "alice4090",
		"$nobody$ $userid$":        "$nobody$ alice",
		"$5 for $userid$":          "$5 for alice",
		"$userid":                  "$userid",
		"$":                        "$",
		"$$userid$":                "$alice",
	} {
		assert.Equal(t, want, Expand(pattern, value), pattern)
	}
}

func TestAuthorityOfAConnector(t *testing.T) {
	s, err := settings(t, "tps.connector.ca1.caSKI=AQIDBA==\ntps.connCAList=ca1,ca0\n")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"ca1": "01020304"}, s.Authorities)
	assert.Equal(t, []string{"ca1", "ca0"}, s.Revokers)
}
