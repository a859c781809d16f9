package gp_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp"
)

func TestCardStates(t *testing.T) {
	states := []gp.CardState{
		gp.CardOPReady, gp.CardInitialized, gp.CardSecured, gp.CardLocked, gp.CardTerminated,
	}
	allowed := map[[2]gp.CardState]bool{
		{gp.CardOPReady, gp.CardInitialized}: true,
		{gp.CardOPReady, gp.CardSecured}:     true,
		{gp.CardInitialized, gp.CardSecured}: true,
		{gp.CardSecured, gp.CardLocked}:      true,
		{gp.CardLocked, gp.CardSecured}:      true,
	}
	for _, from := range states {
		for _, to := range states {
			want := allowed[[2]gp.CardState{from, to}] ||
				to == gp.CardTerminated && from != gp.CardTerminated
			require.Equal(t, want, from.CanBecome(to), "%v to %v", from, to)
		}
		require.False(t, from.CanBecome(0x03), "%v to an unknown state", from)
	}
	require.False(t, gp.CardState(0x03).CanBecome(gp.CardSecured))
	require.Equal(t, "CARD_LOCKED", gp.CardLocked.String())
	require.Equal(t, "state 03", gp.CardState(3).String())
}

func TestAppStates(t *testing.T) {
	for _, tc := range []struct {
		state      gp.AppState
		selectable bool
		text       string
	}{
		{gp.AppInstalled, false, "INSTALLED"},
		{gp.AppSelectable, true, "SELECTABLE"},
		{gp.AppPersonalized, true, "PERSONALIZED"},
		{0x1F, true, "application state 1F"},
		{gp.AppSelectable.Lock(), false, "LOCKED from SELECTABLE"},
		{0x00, false, "state 00"},
	} {
		require.Equal(t, tc.selectable, tc.state.Selectable(), "%v", tc.state)
		require.Equal(t, tc.text, tc.state.String())
	}
	require.Equal(t, gp.AppState(0x1F), gp.AppState(0x1F).Lock().Unlock())
}

func TestPrivileges(t *testing.T) {
	isd := gp.Privileges{0x9E, 0xFE, 0x80}
	require.True(t, isd.Has(gp.PrivSecurityDomain|gp.PrivCardLock))
	require.False(t, isd.Has(gp.PrivDelegatedManagement))
	require.Contains(t, isd.String(), "security domain, card lock")
	require.Equal(t, "none", gp.Privileges{0}.String())
	require.Equal(t, "none", gp.Privileges(nil).String())
	require.Equal(t, gp.Privileges{0x80}, gp.NewPrivileges(gp.PrivSecurityDomain))
	require.Equal(t, isd, gp.NewPrivileges(isd.Mask()))
	require.Equal(t, "00000F", gp.Privileges{0, 0, 0x0F}.String())
}

func TestAID(t *testing.T) {
	a, err := gp.ParseAID("a0000000030000")
	require.NoError(t, err)
	require.Equal(t, "A0000000030000", a.String())
	require.True(t, gp.AIDISDVisa.HasPrefix(a))
	require.False(t, a.HasPrefix(gp.AIDISDVisa))
	clone := a.Clone()
	clone[0] = 0
	require.False(t, a.Equal(clone))
	for _, s := range []string{"", "A0", "A00000000", "G000000000", "A0000000030000000000000000000000AA"} {
		_, err := gp.ParseAID(s)
		require.Error(t, err, s)
	}
	var back gp.AID
	b, err := json.Marshal(a)
	require.NoError(t, err)
	require.JSONEq(t, `"A0000000030000"`, string(b))
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, a, back)
	require.NoError(t, back.UnmarshalText(nil))
	require.Nil(t, back)
	require.Error(t, back.UnmarshalText([]byte("A0")))
}
