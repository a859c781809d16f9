package extreg_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/tps/extreg"
)

var cuid = keys.CUID{0x40, 0x90, 0x61, 0x45, 0, 0, 0, 0, 0, 1}

func config(t *testing.T, lines ...string) *conf.Config {
	t.Helper()
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(strings.Join(lines, "\n")+"\n"), "tps")
	require.NoError(t, err)
	return c
}

func load(t *testing.T, lines ...string) *extreg.Config {
	t.Helper()
	out, err := extreg.Load(config(t, append(lines, "externalReg.enable=true")...))
	require.NoError(t, err)
	require.NotNil(t, out)
	return out
}

type entry = map[string][]string

func TestShippedConfiguration(t *testing.T) {
	off, err := extreg.Load(config(t))
	require.NoError(t, err)
	assert.Nil(t, off)
	assert.Equal(t, &extreg.Config{
		AuthID: "ldap1", DefaultType: "externalRegAddToToken", FormatLogin: true,
		KeySetResolver: "keySetMappingResolver", AllowInvalid: true,
		Names: extreg.Names{Certificates: "certsToAdd", CUID: "tokenCUID",
			Operation: "registrationtype", TokenType: "tokenType"},
	}, load(t))
	_, err = extreg.Load(config(t, "externalReg.enable=perhaps"))
	require.ErrorIs(t, err, conf.ErrValue)
}

func TestEntryIsRead(t *testing.T) {
	r, err := load(t).Read(entry{
		"tokenType": {"externalRegISEtoken"}, "TOKENCUID": {cuid.String()},
		"registrationtype": {"PINRESET"},
		"certsToAdd":       {"19,ca1", " 255 , ca2 , 0 , kra1 ", "255,ca2", "19,ca2"},
	})
	require.NoError(t, err)
	assert.Equal(t, extreg.Registration{
		TokenType: "externalRegISEtoken", CUID: cuid, Operation: extreg.PINReset,
		Certificates: []extreg.Certificate{
			{Serial: "ff", CA: "ca2", KRA: "kra1"}, {Serial: "13", CA: "ca1"}, {Serial: "13", CA: "ca2"},
		},
	}, r)
	r, err = load(t, "externalReg.default.tokenType=userKey").Read(nil)
	require.NoError(t, err)
	assert.Equal(t, extreg.Registration{TokenType: "userKey"}, r)
}

func TestNamesOfAttributesAreConfigurable(t *testing.T) {
	const at = "auths.instance.corp.externalReg."
	c := config(t, "externalReg.enable=true", "externalReg.authId=corp",
		at+"certs.recoverAttributeName=badgeCerts", at+"cuidAttributeName=badge",
		at+"registrationTypeAttributeName=badgeFor", at+"tokenTypeAttributeName=badgeType",
		at+"attributes=edipi,MAIL")
	x, err := extreg.Load(c)
	require.NoError(t, err)
	r, err := x.Read(entry{"badgeCerts": {"1,ca1"}, "badge": {cuid.String()}, "badgeFor": {"enroll"},
		"badgeType": {"t"}, "tokenType": {"other"}})
	require.NoError(t, err)
	assert.Equal(t, "t", r.TokenType)
	assert.Equal(t, cuid, r.CUID)
	assert.Equal(t, extreg.Enroll, r.Operation)
	assert.Len(t, r.Certificates, 1)
	all, err := extreg.Attributes(c, "corp", []string{"mail", "cn"})
	require.NoError(t, err)
	assert.Equal(t, []string{"mail", "cn", "badgeCerts", "badge", "badgeFor", "badgeType", "edipi"}, all)
	other, err := extreg.Attributes(c, "ldap1", []string{"mail"})
	require.NoError(t, err)
	assert.Equal(t, []string{"mail"}, other, "people are not registered there")
}

func TestKeysByTheirNumber(t *testing.T) {
	x := load(t, "externalReg.recover.byKeyID=true")
	r, err := x.Read(entry{"certsToAdd": {"1,ca1,17,kra1"}})
	require.NoError(t, err)
	assert.Equal(t, "17", string(r.Certificates[0].KeyID))
	_, err = x.Read(entry{"certsToAdd": {"1,ca1,0,kra1"}})
	require.ErrorIs(t, err, extreg.ErrValue)
	r, err = load(t).Read(entry{"certsToAdd": {"1,ca1,17,kra1"}})
	require.NoError(t, err)
	assert.Empty(t, r.Certificates[0].KeyID, "the certificate tells")
}

func TestEntriesThatCannotBeRead(t *testing.T) {
	var many []string
	for i := range extreg.MaxCertificates + 1 {
		many = append(many, strconv.Itoa(i+1)+",ca1")
	}
	for _, e := range []entry{
		{"tokenType": {"a", "b"}}, {"tokenType": {strings.Repeat("x", 300)}},
		{"tokenCUID": {"4090"}}, {"tokenCUID": {strings.Repeat("0", 20)}},
		{"registrationtype": {"format"}}, {"registrationtype": {"anything"}},
		{"certsToAdd": {"1"}}, {"certsToAdd": {"1,ca1,2"}}, {"certsToAdd": {"1,ca1,2,kra1,x"}},
		{"certsToAdd": {"0,ca1"}}, {"certsToAdd": {"0x1F,ca1"}}, {"certsToAdd": {"-1,ca1"}},
		{"certsToAdd": {strings.Repeat("9", 60) + ",ca1"}}, {"certsToAdd": {"1,"}},
		{"certsToAdd": {"1,ca 1"}}, {"certsToAdd": {"1,ca1,x,kra1"}}, {"certsToAdd": {"1,ca1,2,"}},
		{"certsToAdd": {"1," + strings.Repeat("c", 300)}}, {"certsToAdd": many},
	} {
		_, err := load(t).Read(e)
		require.ErrorIs(t, err, extreg.ErrValue, "%.100v", e)
		var x *extreg.Error
		require.ErrorAs(t, err, &x)
		assert.Equal(t, 18, x.Status())
		assert.Less(t, len(err.Error()), 400)
	}
}

func TestRegistrationIsForACardAndAnOperation(t *testing.T) {
	other := keys.CUID{1}
	for _, c := range []struct {
		r    extreg.Registration
		op   extreg.Operation
		card keys.CUID
		code int
	}{
		{extreg.Registration{}, extreg.Enroll, cuid, 0},
		{extreg.Registration{CUID: cuid}, extreg.Enroll, cuid, 0},
		{extreg.Registration{CUID: cuid}, extreg.Enroll, other, 43},
		{extreg.Registration{CUID: cuid}, extreg.PINReset, other, 43},
		{extreg.Registration{CUID: cuid}, extreg.Format, other, 43},
		{extreg.Registration{Operation: extreg.Enroll}, extreg.Enroll, cuid, 0},
		{extreg.Registration{Operation: extreg.Enroll}, extreg.PINReset, cuid, 27},
		{extreg.Registration{Operation: extreg.PINReset}, extreg.Enroll, cuid, 26},
		{extreg.Registration{Operation: extreg.PINReset}, extreg.Format, cuid, 0},
	} {
		err := c.r.Check(c.op, c.card)
		if c.code == 0 {
			require.NoError(t, err)
			continue
		}
		var x *extreg.Error
		require.ErrorAs(t, err, &x)
		assert.Equal(t, c.code, x.Status())
	}
}

// Whatever a directory holds, it is read or refused.
func FuzzRead(f *testing.F) {
	f.Add("1,ca1", "40906145000000000001", "enroll")
	f.Add("1,ca1,0,kra1", "", "pinReset")
	f.Add(",,,", "x", "y")
	c := &extreg.Config{Names: extreg.Names{Certificates: "a", CUID: "b", Operation: "c", TokenType: "d"}}
	f.Fuzz(func(t *testing.T, cert, card, op string) {
		r, err := c.Read(entry{"a": {cert}, "b": {card}, "c": {op}})
		if err != nil {
			if !errors.Is(err, extreg.ErrValue) {
				t.Fatal(err)
			}
			return
		}
		for _, n := range r.Certificates {
			if n.Serial.Int() == nil || n.CA == "" || n.Brought() != (n.KRA != "") {
				t.Fatalf("%+v of %q", n, cert)
			}
		}
	})
}
