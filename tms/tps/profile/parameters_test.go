package profile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// parameter is a key of a token type, as the older system's documents list it, with a value that
// makes a difference.
type parameter struct {
	key, value string
	// with are further lines that the value takes, beside those that every test has.
	with string
	// get reads what the key makes of the settings; nil where it only has to agree with another.
	get func(c Card, e Enroll, s *Settings) any
	// def is what get gives without the key, and want with it.
	def, want any
}

// ofCard are the keys that all operations have.
var ofCard = []parameter{
	{"auth.enable", "false", "", func(c Card, _ Enroll, _ *Settings) any { return c.Login }, true, false},
	{"auth.id", "ldap2", "", func(c Card, _ Enroll, _ *Settings) any { return c.AuthID }, "ldap1", "ldap2"},
	{"cuidMustMatchKDD", "true", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.CUIDIsKDD }, false, true},
	{"enableBoundedGPKeyVersion", "false", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.BoundKVN }, true, false},
	{"minimumGPKeyVersion", "02", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.MinKVN }, keys.KVN(1), keys.KVN(2)},
	{"maximumGPKeyVersion", "7F", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.MaxKVN }, keys.KVN(255), keys.KVN(127)},
	{"validateCardKeyInfoAgainstTokenDB", "false", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.CheckKeyInfo }, true, false},
	{"rollbackKeyVersionOnPutKeyFailure", "true", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.RollBack }, false, true},
	{"tks.conn", "tks2", "", func(c Card, _ Enroll, _ *Settings) any { return c.TKS }, "tks1", "tks2"},
	{"tks.keySet", "own", "", func(c Card, _ Enroll, _ *Settings) any { return c.KeySet }, "", "own"},
	{"issuerinfo.enable", "true", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.WriteIssuer }, false, true},
	{"issuerinfo.value", "https://tps.example.com/", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.IssuerInfo }, "", "https://tps.example.com/"},
	{"update.applet.emptyToken.enable", "false", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.EmptyToken }, true, false},
	{"update.applet.encryption", "false", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.Encryption }, true, false},
	{"update.applet.directory", "/files", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.AppletDir }, "/instance/applets", "/files"},
	{"update.applet.requiredVersion", "1.4", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.AppletVersion }, [4]string{}, [4]string{1: "1.4"}},
	{"update.applet.requiredVersion.prot.2", "1.4", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.AppletVersion }, [4]string{}, [4]string{2: "1.4"}},
	{"update.applet.requiredVersion.prot.3", "1.5", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.AppletVersion }, [4]string{}, [4]string{3: "1.5"}},
	// Keys are changed unless that is switched off, but only to a version that is named.
	{"update.symmetricKeys.enable", "false", "update.symmetricKeys.requiredVersion=2\n",
		func(c Card, _ Enroll, _ *Settings) any { return c.ChangeKeys }, true, false},
	{"update.symmetricKeys.enable", "true", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.ChangeKeys }, false, false},
	{"update.symmetricKeys.requiredVersion", "33", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.RequiredKVN }, keys.KVN(0), keys.KVN(33)},
	{"update.symmetricKeys.requiredVersion", "33", "",
		func(c Card, _ Enroll, _ *Settings) any { return c.ChangeKeys }, false, true},
}

// updates is not for format, which always loads the applet.
var updates = parameter{"update.applet.enable", "true", "",
	func(c Card, _ Enroll, _ *Settings) any { return c.UpdateApplet }, false, true}

var ofFormat = []parameter{
	{"ca.conn", "ca2", "", func(_ Card, _ Enroll, s *Settings) any { return s.Formats["mine"].CA },
		"ca1", "ca2"},
	{"revokeCert", "true", "", func(_ Card, _ Enroll, s *Settings) any {
		return s.Formats["mine"].Revoke
	}, false, true},
	{"revokeCert.reason", "4", "", func(_ Card, _ Enroll, s *Settings) any {
		return s.Formats["mine"].Reason
	}, connector.ReasonUnspecified, connector.ReasonSuperseded},
}

var ofPINReset = []parameter{
	updates,
	{"pinReset.enable", "false", "", func(_ Card, _ Enroll, s *Settings) any {
		return s.PINResets["mine"].SetPIN
	}, true, false},
	{"pinReset.pin.minLen", "6", "", func(_ Card, _ Enroll, s *Settings) any {
		return s.PINResets["mine"].PIN.Min
	}, 4, 6},
	{"pinReset.pin.maxLen", "8", "", func(_ Card, _ Enroll, s *Settings) any {
		return s.PINResets["mine"].PIN.Max
	}, 10, 8},
	{"pinReset.pin.maxRetries", "3", "", func(_ Card, _ Enroll, s *Settings) any {
		return s.PINResets["mine"].PIN.Tries
	}, 127, 3},
}

// signing reads a field of the key type that the tests have.
func signing(get func(k Key) any) func(Card, Enroll, *Settings) any {
	return func(_ Card, e Enroll, _ *Settings) any { return get(e.Keys["signing"]) }
}

func enrolled(get func(e Enroll) any) func(Card, Enroll, *Settings) any {
	return func(_ Card, e Enroll, _ *Settings) any { return get(e) }
}

var ofEnroll = []parameter{
	updates,
	{"keyGen.keyType.num", "1", "keyGen.keyType.value.0=signing\n",
		enrolled(func(e Enroll) any { return len(e.KeyTypes) }), 0, 1},
	{"keyGen.keyType.value.0", "signing", "keyGen.keyType.num=1\n",
		enrolled(func(e Enroll) any { return e.KeyTypes }), nil, []string{"signing"}},
	{"keyGen.tokenName", "$auth.cn$", "",
		enrolled(func(e Enroll) any { return e.TokenName }), "$cuid$", "$auth.cn$"},
	{"keyGen.aesKeyWrapAlg", "DES", "", enrolled(func(e Enroll) any { return e.Wrap }),
		connector.WrapAESKWP, connector.WrapDES3CBC},
	{"keyGen.aesKeyWrapAlg", "CBC", "", enrolled(func(e Enroll) any { return e.Wrap }),
		connector.WrapAESKWP, connector.WrapAESCBC},
	{"pinReset.enable", "false", "", enrolled(func(e Enroll) any { return e.SetPIN }), true, false},
	{"pinReset.pin.minLen", "6", "", enrolled(func(e Enroll) any { return e.PIN.Min }), 4, 6},
	{"pinReset.pin.maxLen", "8", "", enrolled(func(e Enroll) any { return e.PIN.Max }), 10, 8},
	{"pinReset.pin.maxRetries", "3", "", enrolled(func(e Enroll) any { return e.PIN.Tries }), 127, 3},
	{"pkcs11obj.enable", "false", "", enrolled(func(e Enroll) any { return e.Combined }), true, false},
	{"pkcs11obj.compress.enable", "false", "",
		enrolled(func(e Enroll) any { return e.Compress }), true, false},
	{"temporaryToken.tokenType", "userKeyTemporary", "",
		enrolled(func(e Enroll) any { return e.Temporary }), "", "userKeyTemporary"},

	{"keyGen.signing.ca.conn", "ca2", "", signing(func(k Key) any { return k.CA }), "ca1", "ca2"},
	{"keyGen.signing.ca.profileId", "other", "",
		signing(func(k Key) any { return k.ProfileID }), "usual", "other"},
	{"keyGen.signing.certId", "C3", "", signing(func(k Key) any { return k.Container }), 0, 3},
	{"keyGen.signing.certAttrId", "c0", "", nil, nil, "c4"},
	{"keyGen.signing.privateKeyAttrId", "k0", "", nil, nil, "k4"},
	{"keyGen.signing.publicKeyAttrId", "k1", "", nil, nil, "k4"},
	{"keyGen.signing.privateKeyNumber", "6", "", signing(func(k Key) any { return k.Slots }),
		coolkey.SlotPair{Private: 0, Public: 1}, coolkey.SlotPair{Private: 6, Public: 1}},
	{"keyGen.signing.publicKeyNumber", "7", "", signing(func(k Key) any { return k.Slots }),
		coolkey.SlotPair{Private: 0, Public: 1}, coolkey.SlotPair{Private: 0, Public: 7}},
	// 2,048 bits where nothing is said; the older system's 1,024 are not enough any more.
	{"keyGen.signing.keySize", "3072", "", signing(func(k Key) any { return k.Bits }), 2048, 3072},
	{"keyGen.signing.alg", "5", "", signing(func(k Key) any { return k.EC }), false, true},
	{"keyGen.signing.keyUsage", "3", "", signing(func(k Key) any { return k.Usage }), byte(0), byte(3)},
	{"keyGen.signing.keyUser", "15", "",
		signing(func(k Key) any { return k.Owner }), coolkey.Owner(0), coolkey.OwnerAnyone},
	{"keyGen.signing.label", "mine", "",
		signing(func(k Key) any { return k.Label }), "signing key for $userid$", "mine"},
	{"keyGen.signing.overwrite", "false", "",
		signing(func(k Key) any { return k.Overwrite }), true, false},
	{"keyGen.signing.serverKeygen.enable", "true", "",
		signing(func(k Key) any { return k.ServerSide }), false, true},
	{"keyGen.signing.serverKeygen.archive", "true", "",
		signing(func(k Key) any { return k.Archive }), false, true},
	{"keyGen.signing.serverKeygen.drm.conn", "kra2", "",
		signing(func(k Key) any { return k.KRA }), "kra1", "kra2"},
	{"keyGen.signing.serverKeygen.keyGenUsages", "wrap,unwrap", "",
		signing(func(k Key) any { return k.Usages }), "", "wrap,unwrap"},
	{"keyGen.signing.dnpattern", "CN=$userid$", "",
		signing(func(k Key) any { return k.Subject }), "", "CN=$userid$"},
	{"keyGen.signing.SANpattern", "$auth.mail$,$msn$", "",
		signing(func(k Key) any { return k.SANs }), nil, []string{"$auth.mail$", "$msn$"}},
}

// ofLoss are the keys keyGen.<key type>.recovery.<state>.
var ofLoss = []struct {
	key, value string
	get        func(l Loss) any
	def, want  any
}{
	{"scheme", "RecoverLast", func(l Loss) any { return l.Scheme }, NewKey, RecoverLast},
	{"revokeCert", "false", func(l Loss) any { return l.Revoke }, true, false},
	{"revokeCert.reason", "6", func(l Loss) any { return l.Reason },
		connector.ReasonUnspecified, connector.ReasonCertificateHold},
	{"holdRevocationUntilLastCredential", "true",
		func(l Loss) any { return l.KeepShared }, false, true},
	{"revokeExpiredCerts", "false", func(l Loss) any { return l.Expired }, true, false},
}

const day = 24 * time.Hour

// ofRenewal are the keys renewal.<key type>.; the renewal is on without them.
var ofRenewal = []struct {
	key, value string
	get        func(w []Renewal) any
	def, want  any
}{
	{"enable", "false", func(w []Renewal) any { return len(w) }, 1, 0},
	{"ca.conn", "ca2", func(w []Renewal) any { return w[0].CA }, "ca1", "ca2"},
	{"ca.profileId", "other", func(w []Renewal) any { return w[0].ProfileID }, "renews", "other"},
	{"certId", "C0", nil, nil, "C4"},
	{"certAttrId", "c0", nil, nil, "c4"},
	{"privateKeyAttrId", "k0", nil, nil, "k4"},
	{"publicKeyAttrId", "k1", nil, nil, "k4"},
	{"gracePeriod.enable", "true", func(w []Renewal) any { return w[0].Grace }, false, true},
	{"gracePeriod.before", "7", func(w []Renewal) any { return w[0].Before }, 30 * day, 7 * day},
	{"gracePeriod.after", "8", func(w []Renewal) any { return w[0].After }, 30 * day, 8 * day},
}

// enrollParameters are all keys of an enrollment.
func enrollParameters() []parameter {
	out := append([]parameter{}, ofEnroll...)
	for _, reason := range []token.Reason{"destroyed", "keyCompromise", "onHold", "terminated"} {
		for _, p := range ofLoss {
			out = append(out, parameter{"keyGen.signing.recovery." + string(reason) + "." + p.key, p.value,
				"", signing(func(k Key) any { return p.get(k.Loss[reason]) }), p.def, p.want})
		}
		list := "keyGen.recovery." + string(reason) + ".keyType."
		covers := enrolled(func(e Enroll) any { return len(e.Recovery[reason]) })
		out = append(out, parameter{list + "num", "1", list + "value.0=signing\n", covers, 0, 1},
			parameter{list + "value.0", "signing", list + "num=1\n", covers, nil, 1})
	}
	for _, c := range capabilityNames {
		on := c.flag == content.Token
		value := fmt.Sprint(!on)
		out = append(out,
			parameter{"keyGen.signing.private.keyCapabilities." + c.name, value, "",
				signing(func(k Key) any { return k.Private&c.flag != 0 }), on, !on},
			parameter{"keyGen.signing.public.keyCapabilities." + c.name, value, "",
				signing(func(k Key) any { return k.Public&c.flag != 0 }), on, !on})
	}
	const list = "renewal.keyType.num=1\nrenewal.keyType.value.0=signing\n"
	for _, p := range ofRenewal {
		with := list
		if p.key != "ca.profileId" {
			with += "renewal.signing.ca.profileId=renews\n"
		}
		q := parameter{"renewal.signing." + p.key, p.value, with, nil, p.def, p.want}
		if p.get != nil {
			q.get = enrolled(func(e Enroll) any { return p.get(e.Renewal) })
		}
		if p.key == "ca.profileId" {
			q.def = nil // without one there is no renewal
		}
		out = append(out, q)
	}
	return out
}

// idle are keys that do nothing in the older system either, for all operations and for some.
var idle = map[string][]string{
	"format": {"loginRequest.enable", "cardmgr_instance", "update.applet.enable"},
	"enroll": {"loginRequest.enable", "cardmgr_instance", "keyGen.signing.cuid_label",
		"keyGen.signing.publisherId", "certificates.num", "certificates.value.0",
		"certificates.root.nickName", "certificates.root.certId", "certificates.root.certAttrId",
		"certificates.root.label"},
	"pinReset": {"loginRequest.enable", "cardmgr_instance"},
}

// base is what a token type of each operation has in these tests.
var base = map[string]string{
	"format": "auth.id=ldap1\n", "pinReset": "auth.id=ldap1\n",
	"enroll": "auth.id=ldap1\nkeyGen.signing.ca.profileId=usual\n",
}

// load reads lines of token type mine; each key is stated once, the last one counts.
func load(t *testing.T, op, lines string) (*conf.Config, *Settings, error) {
	t.Helper()
	var order []string
	last := map[string]string{}
	for line := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if _, ok := last[key]; !ok {
			order = append(order, key)
		}
		last[key] = value
	}
	var text strings.Builder
	for _, key := range order {
		fmt.Fprintf(&text, "op.%s.mine.%s=%s\n", op, key, last[key])
	}
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(text.String()), "tps")
	require.NoError(t, err)
	s, err := Load(c, "/instance")
	return c, s, err
}

func cardOf(op string, s *Settings) Card {
	switch op {
	case "format":
		return s.Formats["mine"].Card
	case "enroll":
		return s.Enrolls["mine"].Card
	}
	return s.PINResets["mine"].Card
}

// Every key of the older system's token types that does something there is read, and does it; values
// that have to agree with another key are refused when they do not.
func TestEveryParameterDoesSomething(t *testing.T) {
	for op, list := range map[string][]parameter{
		"format": append(ofFormat, ofCard...), "pinReset": append(ofPINReset, ofCard...),
		"enroll": append(enrollParameters(), ofCard...),
	} {
		for _, p := range list {
			t.Run(fmt.Sprintf("%s/%s=%s", op, p.key, p.value), func(t *testing.T) {
				before := base[op] + p.with
				c, s, err := load(t, op, before+p.key+"="+p.value+"\n")
				require.NoError(t, err)
				assert.Empty(t, c.Unread())
				if p.get == nil {
					_, _, err = load(t, op, before+p.key+"="+fmt.Sprint(p.want)+"\n")
					require.ErrorIs(t, err, conf.ErrValue)
					return
				}
				assert.Equal(t, p.want, p.get(cardOf(op, s), s.Enrolls["mine"], s))
				if p.def == nil {
					return
				}
				_, s, err = load(t, op, before)
				require.NoError(t, err)
				assert.Equal(t, p.def, p.get(cardOf(op, s), s.Enrolls["mine"], s), "without the key")
			})
		}
	}
}

// A key that does nothing in the older system does nothing here, and the operator is told.
func TestIdleParametersAreNamed(t *testing.T) {
	for op, list := range idle {
		for _, key := range list {
			c, _, err := load(t, op, base[op]+key+"=1\n")
			require.NoError(t, err, key)
			unread := c.Unread()
			if assert.Len(t, unread, 1, "%s %s", op, key) {
				assert.Equal(t, "op."+op+".mine."+key, unread[0].Key)
			}
		}
	}
}
