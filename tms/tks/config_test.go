package tks

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

func read(t *testing.T, text string) (Config, []string, error) {
	t.Helper()
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(text), "tks")
	require.NoError(t, err)
	return ReadConfig(c)
}

func setNamed(t *testing.T, cfg Config, name string) KeySetConfig {
	t.Helper()
	for _, k := range cfg.KeySets {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("no key set %s", name)
	return KeySetConfig{}
}

func TestShippedKeySets(t *testing.T) {
	cfg, warnings, err := read(t, "")
	require.NoError(t, err)
	assert.Empty(t, warnings)
	var names []string
	for _, k := range cfg.KeySets {
		names = append(names, k.Name)
	}
	assert.Equal(t, []string{"aesKeySet", "defKeySet", "jForte"}, names)
	def, aes := setNamed(t, cfg, "defKeySet"), setNamed(t, cfg, "aesKeySet")
	assert.Equal(t, unhex(t, gpKey), []byte(def.KEK))
	assert.Equal(t, DefaultSCP03(), def.SCP03)
	assert.False(t, def.NIST.Enabled)
	assert.Equal(t, SCP03Config{kdf.None, kdf.None, keys.AES, keys.AES}, aes.SCP03)
	assert.Equal(t, byte(0x30), setNamed(t, cfg, "jForte").Auth[0])
	_, err = New(context.Background(), cfg, Options{})
	require.NoError(t, err)
}

func TestKeySetsAreReadFromTheInstance(t *testing.T) {
	cfg, warnings, err := read(t, `
tks.master_key_prefix=pre-
keyWrap.useOAEP=false
tks.EncryptData.isRandom=true
cardcryptogram.validate.enable=false
tks.defKeySet.nistSP800-108KdfOnKeyVersion=99
tks.defKeySet.nistSP800-108KdfUseCuidAsKdd=true
tks.defKeySet.mk_mappings.#02#01=internal:new_master
tks.defKeySet.mk_mappings.#0a#03=hsm:other
tks.mine.mk_mappings.#02#01=bare
`)
	require.NoError(t, err)
	assert.Len(t, warnings, 2)
	assert.True(t, cfg.PKCS1v15)
	assert.Equal(t, "pre-", cfg.MasterKeyPrefix)
	def := setNamed(t, cfg, "defKeySet")
	assert.Equal(t, NISTConfig{Enabled: true, From: 0x99, UsesCUID: true}, def.NIST)
	assert.Equal(t, map[Slot]Mapping{
		{2, 1}:    {Store: "internal", Name: "new_master"},
		{0x0A, 3}: {Store: "hsm", Name: "other"},
	}, def.Mappings)
	assert.Equal(t, Mapping{Name: "bare"}, setNamed(t, cfg, "mine").Mappings[Slot{2, 1}])
}

// TestConfigurationErrorsAreFoundAtStart states one wrong line each and wants its key in the error.
func TestConfigurationErrorsAreFoundAtStart(t *testing.T) {
	m := memory{"des": key(t, keys.DES3, gpKey), "aes": key(t, keys.AES, gpKey)}
	tests := map[string]struct{ text, want string }{
		"short key": {"tks.defKeySet.auth_key=#40#41", "tks.defKeySet.auth_key"},
		"no hex":    {"tks.defKeySet.kek_key=secret", "tks.defKeySet.kek_key"},
		"odd length": {
			"tks.defKeySet.mac_key=" + strings.Repeat("40", 17), "tks.defKeySet.mac_key",
		},
		"lengths differ":  {"tks.aesKeySet.mac_key=" + aes256, "tks.aesKeySet.mac_key"},
		"one key missing": {"tks.defKeySet.mac_key=", "tks.defKeySet.mac_key"},
		"unknown method":  {"tks.defKeySet.prot3.divers=emvx", "tks.defKeySet.prot3.divers"},
		"nist in scp03":   {"tks.defKeySet.prot3.divers=nist", "tks.defKeySet.prot3.divers"},
		"method and type": {"tks.defKeySet.prot3.masterKeyType=AES", "tks.defKeySet.prot3.divers"},
		"developer type": {
			"tks.aesKeySet.prot3.devKeyType=DES3", "tks.aesKeySet.prot3.diversVer1Keys",
		},
		"unknown type": {"tks.defKeySet.prot3.devKeyType=RC4", "tks.defKeySet.prot3.devKeyType"},
		"threshold": {
			"tks.jForte.nistSP800-108KdfOnKeyVersion=1FF", "tks.jForte.nistSP800-108KdfOnKeyVersion",
		},
		"slot": {"tks.jForte.mk_mappings.02#01=des", "tks.jForte.mk_mappings.02#01"},
		"slot twice": {
			"tks.jForte.mk_mappings.#0a#01=des\ntks.jForte.mk_mappings.#0A#01=des",
			"tks.jForte.mk_mappings.#0a#01",
		},
		"no name": {
			"tks.jForte.mk_mappings.#02#01=internal:", "tks.jForte.mk_mappings.#02#01",
		},
		"missing key": {
			"tks.jForte.mk_mappings.#02#01=internal:gone", "tks.jForte.mk_mappings.#02#01",
		},
		"unknown store":    {"tks.jForte.mk_mappings.#02#01=hsm:des", "tks.jForte.mk_mappings.#02#01"},
		"aes for des":      {"tks.jForte.mk_mappings.#02#01=aes", "tks.jForte.mk_mappings.#02#01"},
		"des for aes only": {"tks.aesKeySet.mk_mappings.#02#03=des", "tks.aesKeySet.mk_mappings.#02#03"},
		"flag":             {"keyWrap.useOAEP=maybe", "keyWrap.useOAEP"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := read(t, tt.text)
			if err == nil {
				_, err = New(context.Background(), cfg,
					Options{Stores: map[string]MasterKeys{"": m}})
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestDuplicateKeySetIsRefused(t *testing.T) {
	set, m := published(t)
	_, err := New(context.Background(), Config{KeySets: []KeySetConfig{set, set}},
		Options{Stores: map[string]MasterKeys{"": m}})
	require.ErrorContains(t, err, "defKeySet")
}

func TestConfigurationPrintsNoKeys(t *testing.T) {
	set, _ := published(t)
	set.Mappings = nil
	asJSON, err := json.Marshal(set)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %x %s", set, set, set, set.Auth, set.KEK),
		string(asJSON)} {
		assert.NotContains(t, strings.ToUpper(text), "404142")
		assert.NotContains(t, text, "@AB")
		assert.NotContains(t, text, "64 65 66")
		assert.NotContains(t, text, "0x40, 0x41")
	}
}

func FuzzParseSlot(f *testing.F) {
	f.Add("#02#01")
	f.Add("02#01")
	f.Add("##0#1")
	f.Fuzz(func(t *testing.T, text string) {
		slot, err := ParseSlot(text)
		if err == nil && !strings.EqualFold(slot.String(), text) {
			t.Fatalf("%q read as %v", text, slot)
		}
	})
}
