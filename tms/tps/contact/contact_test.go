package contact

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
	"tokenwright/tms/perso"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

func TestStatusOf(t *testing.T) {
	inner := Refuse(wire.StatusUnknownToken, "who is it")
	for _, c := range []struct {
		err  error
		want wire.Status
	}{
		{nil, wire.StatusNoError},
		{errors.New("any"), wire.StatusSNAC},
		{inner, wire.StatusUnknownToken},
		{fmt.Errorf("outer: %w", inner), wire.StatusUnknownToken},
		{Failf(wire.StatusDB, inner, "outer"), wire.StatusUnknownToken},
		{Failf(wire.StatusDB, errors.New("any"), "outer"), wire.StatusDB},
		{Failf(wire.StatusDB, fmt.Errorf("x: %w", wire.ErrConnectionLost), "outer"), wire.StatusConnLost},
		{Failf(wire.StatusDB, perso.ErrNoAnswer, "outer"), wire.StatusConnLost},
		{Failf(wire.StatusDB, &tokendb.Error{Kind: tokendb.ErrNotAllowed, Code: 26}, "outer"),
			wire.StatusDisabledToken},
		{&mapping.Error{Kind: mapping.ErrNoMapping}, wire.StatusMappingResolverFailed},
		{&mapping.Error{Kind: mapping.ErrConfig}, wire.StatusMappingResolverParams},
		{&auth.Error{Kind: auth.ErrCredentials}, wire.StatusLogin},
		{&auth.Error{Kind: auth.ErrUnreachable}, wire.StatusLDAPConn},
	} {
		assert.Equal(t, c.want, StatusOf(c.err), "%v", c.err)
	}
	assert.NoError(t, Failf(wire.StatusDB, nil, "nothing"))
}

func TestChannelStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want wire.Status
	}{
		{connector.ErrUnavailable, wire.StatusNoTKSConnID},
		{connector.ErrUnauthorized, wire.StatusMisconfiguration},
		{connector.Errorf(connector.StatusConfig, "no key set"), wire.StatusMisconfiguration},
		{connector.Errorf(connector.StatusCardCryptogram, "no"), wire.StatusSecureChannel},
		{&perso.Error{Step: perso.StepSelectISD, Err: apdu.SW6A82}, wire.StatusCreateCardManager},
		{&perso.Error{Step: perso.StepInitializeUpdate, Err: apdu.SW6A88}, wire.StatusSecInitUpdate},
		{&perso.Error{Step: perso.StepExternalAuth, Err: apdu.SW6982}, wire.StatusExternalAuth},
		{&perso.Error{Step: perso.StepSanityCheck, Err: errKVNBounds}, wire.StatusSecureChannel},
	} {
		assert.Equal(t, c.want, channelStatus(c.err), "%v", c.err)
	}
}

func TestKeyInformationIsWrittenAsRecordsHoldIt(t *testing.T) {
	for _, c := range []struct {
		scp  byte
		info keys.KeyInfo
		want string
	}{
		{1, keys.KeyInfo{KVN: 0xFF, SCP: 1}, "FF01"},
		{2, keys.KeyInfo{KVN: 2, SCP: 2}, "0201"},
		{3, keys.KeyInfo{KVN: 1, SCP: 3, I: 0x70, HasI: true}, "010370"},
	} {
		h := perso.Handshake{Variant: scp.Variant{SCP: c.scp}, Info: c.info}
		assert.Equal(t, c.want, recorded(h))
	}
}

func TestPlainName(t *testing.T) {
	for _, good := range []string{"1.4.58768072", "1.5.65cbf5a6", "a_b-c"} {
		assert.True(t, plainName(good), good)
	}
	for _, bad := range []string{
		"", ".", "..", ".hidden", "../x", "a/b", `a\b`, "a\x00b", "a b", "ä", strings.Repeat("a", 65),
	} {
		assert.False(t, plainName(bad), bad)
	}
}
