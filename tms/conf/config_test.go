package conf

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func load(t *testing.T, text string) *Config {
	t.Helper()
	c, err := LoadReader("dir/CS.cfg", strings.NewReader(text), "tps")
	require.NoError(t, err)
	return c
}

func TestPrecedence(t *testing.T) {
	c := load(t, "channel.blocksize=200\nauths.instance.ldap1.authCredName=\n")
	n, err := c.Int("channel.blocksize", 1, 1, 255)
	require.NoError(t, err)
	assert.Equal(t, 200, n, "the instance's value")
	n, err = c.Int("channel.instanceSize", 1, 1, 65535)
	require.NoError(t, err)
	assert.Equal(t, 18000, n, "the embedded default")
	n, err = c.Int("no.such.key", 42, 1, 9)
	require.NoError(t, err)
	assert.Equal(t, 42, n, "the code's default")
	v, ok := c.Lookup("auths.instance.ldap1.authCredName")
	assert.True(t, ok)
	assert.Empty(t, v, "an instance can empty a default")

	file, line, ok := c.Origin("channel.instanceSize")
	assert.True(t, ok)
	assert.Equal(t, "defaults/tps.cfg", file)
	assert.Positive(t, line)
}

func TestSubSeesItsPart(t *testing.T) {
	c := load(t, "op.format.mine.auth.enable=false\nop.format.mine.auth.id=x\n")
	p := c.Sub("op.format").Sub("mine")
	v, err := p.Bool("auth.enable", true)
	require.NoError(t, err)
	assert.False(t, v)
	assert.Equal(t, []string{"auth.enable", "auth.id"}, p.Keys())
	assert.Equal(t, "op.format.mine.auth.id", p.FullKey("auth.id"))
	types := c.Sub("op.format").Children()
	assert.Contains(t, types, "mine")
	assert.Contains(t, types, "userKey")
	assert.NotContains(t, types, "allowUnknownToken", "a key is not a child")
}

func TestGettersCheck(t *testing.T) {
	const text = `int=12
int.text=twelve
bool=TRUE
bool.yes=yes
hex=#40#41#42
hex.plain=4041ff
hex.odd=#4
hex.mixed=#40a41
list= a, b ,,c
time=30
time.unit=1500ms
time.bad=soon
one=Aes
`
	c := load(t, text)
	n, err := c.Int("int", 0, 1, 12)
	require.NoError(t, err)
	assert.Equal(t, 12, n)
	b, err := c.Bool("bool", false)
	require.NoError(t, err)
	assert.True(t, b)
	h, err := c.Hex("hex", 3, 3)
	require.NoError(t, err)
	assert.Equal(t, []byte{0x40, 0x41, 0x42}, h)
	h, err = c.Hex("hex.plain", 1, 8)
	require.NoError(t, err)
	assert.Equal(t, []byte{0x40, 0x41, 0xFF}, h)
	assert.Equal(t, "#40#41#FF", FormatHex(h))
	h, err = c.Hex("none", 1, 8)
	require.NoError(t, err)
	assert.Nil(t, h)
	assert.Equal(t, []string{"a", "b", "c"}, c.List("list"))
	assert.Nil(t, c.List("none"))
	d, err := c.Duration("time", 0, time.Second, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, 30*time.Second, d)
	d, err = c.Duration("time.unit", 0, time.Second, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, 1500*time.Millisecond, d)
	one, err := c.OneOf("one", "DES3", "DES3", "AES")
	require.NoError(t, err)
	assert.Equal(t, "AES", one)
	assert.Equal(t, "dflt", c.StringOr("none", "dflt"))
	assert.Equal(t, "12", c.StringOr("int", "dflt"))

	bad := map[string]func() error{
		"dir/CS.cfg:1: int: bad value: not a number from 1 to 11": func() error {
			_, err := c.Int("int", 0, 1, 11)
			return err
		},
		"dir/CS.cfg:2: int.text: bad value": func() error {
			_, err := c.Int("int.text", 0, 1, 11)
			return err
		},
		"dir/CS.cfg:4: bool.yes: bad value: neither true nor false": func() error {
			_, err := c.Bool("bool.yes", true)
			return err
		},
		"dir/CS.cfg:5: hex: bad value: 3 bytes, want 16 to 16": func() error {
			_, err := c.Hex("hex", 16, 16)
			return err
		},
		"dir/CS.cfg:7: hex.odd: bad value": func() error { _, err := c.Hex("hex.odd", 1, 9); return err },
		"dir/CS.cfg:8: hex.mixed: bad value": func() error {
			_, err := c.Hex("hex.mixed", 1, 9)
			return err
		},
		"dir/CS.cfg:12: time.bad: bad value: not a time from 1s to 2s": func() error {
			_, err := c.Duration("time.bad", 0, time.Second, 2*time.Second)
			return err
		},
		"dir/CS.cfg:13: one: bad value: not one of DES3, RSA": func() error {
			_, err := c.OneOf("one", "", "DES3", "RSA")
			return err
		},
		"dir/CS.cfg: none: is required and not set": func() error {
			_, err := c.Required("none")
			return err
		},
	}
	for want, get := range bad {
		err := get()
		if assert.Error(t, err, want) {
			assert.True(t, strings.HasPrefix(err.Error(), want), err.Error())
			assert.NotContains(t, err.Error(), "twelve", "no error repeats a value")
		}
	}
}

func TestUnreadNamesKeysAndNearMisses(t *testing.T) {
	c := load(t, "channel.blocksize=200\n"+
		"chanel.encryption=true\n"+
		"channel.Blocksize=3\n"+
		"op.format.userKey.updat.applet.directory=/x\n"+
		"op.format.mine.auth.enable=true\n"+
		"asked.laetr=1\n"+
		"something.else.entirely=1\n"+
		"plain.declared.deep.key=1\n")
	c.Declare("op.format.*.auth.enable", "plain.declared.**")
	_, _ = c.Int("channel.blocksize", 0, 0, 999)
	_ = c.String("asked.later")

	var got []string
	for _, u := range c.Unread() {
		got = append(got, u.String())
	}
	assert.Equal(t, []string{
		"dir/CS.cfg:2: nothing reads key chanel.encryption, did you mean channel.encryption?",
		"dir/CS.cfg:3: nothing reads key channel.Blocksize, did you mean channel.blocksize?",
		"dir/CS.cfg:4: nothing reads key op.format.userKey.updat.applet.directory, " +
			"did you mean op.format.userKey.update.applet.directory?",
		"dir/CS.cfg:6: nothing reads key asked.laetr, did you mean asked.later?",
		"dir/CS.cfg:7: nothing reads key something.else.entirely",
	}, got)
}

func TestMatchKey(t *testing.T) {
	tests := []struct {
		pattern, key string
		want         bool
	}{
		{"a.*.c", "a.b.c", true},
		{"a.*.c", "a.b.b.c", false},
		{"a.**", "a.b.c", true},
		{"a.**", "a.", false},
		{"a.**", "ab.c", false},
		{"*.x.**", "q.x.y", true},
		{"tks.*.mk_mappings.#*", "tks.defKeySet.mk_mappings.#02#01", true},
		{"a", "a", true},
		{"a.*", "a.b/c", true},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, matchKey(tt.pattern, tt.key), "%s %s", tt.pattern, tt.key)
	}
}

func TestSetAndSaveRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "CS.cfg")
	c := load(t, "# mine\nchannel.blocksize = 200\n")
	require.NoError(t, c.Sub("channel").Set("blocksize", "100"))
	require.NoError(t, c.Set("general.applet_ext", "cap"))
	require.NoError(t, c.Save(path))
	again, err := Load(path, "tps")
	require.NoError(t, err)
	assert.Equal(t, "# mine\nchannel.blocksize = 100\ngeneral.applet_ext=cap\n",
		string(again.InstanceBytes()))
	assert.True(t, again.Unset("channel.blocksize"))
	assert.Equal(t, "224", again.String("channel.blocksize"), "the default holds again")
}

func TestUnknownSubsystem(t *testing.T) {
	for _, name := range []string{"", "pki", "../doc", "tps.cfg"} {
		_, err := Defaults(name)
		assert.ErrorIs(t, err, ErrSubsystem, name)
	}
}

// The defaults are what every instance stands on: all format profiles complete and alike, and
// none of the keys that mean nothing.
func TestDefaultsAreComplete(t *testing.T) {
	tps, err := New(nil, "tps")
	require.NoError(t, err)
	types := tps.Sub("op.format").Children()
	assert.Equal(t, []string{"cleanToken", "delegateIEtoken", "delegateISEtoken",
		"externalRegAddToToken", "externalRegISEtoken", "soCleanSOToken", "soCleanUserToken",
		"soKey", "soUserKey", "tokenKey", "userKey"}, types)
	want := tps.Sub("op.format.userKey").Keys()
	assert.Len(t, want, 22)
	logins, revokes := 0, 0
	for _, typ := range types {
		p := tps.Sub("op.format." + typ)
		assert.Equal(t, want, p.Keys(), typ)
		if login, err := p.Bool("auth.enable", false); assert.NoError(t, err) && login {
			logins++
		}
		if revoke, err := p.Bool("revokeCert", false); assert.NoError(t, err) && revoke {
			revokes++
		}
		assert.Equal(t, "Enabled", tps.String("config.Profiles."+typ+".state"))
	}
	assert.Equal(t, 7, logins)
	assert.Equal(t, 7, revokes)

	dead := regexp.MustCompile(`op\..*\.cardmgr_instance|\.tks\.keySet$|` +
		`failover\.pod|publisherId|certificates\.|\.\.|op\..*\.loginRequest|so_pin|verifyProof|` +
		`channel\.(securityLevel|defPlatform|defSecureProtocol)|test[A-Z]`)
	for _, k := range tps.Keys() {
		assert.NotRegexp(t, dead, k)
	}
}

func TestDefaultResolversNameExistingProfiles(t *testing.T) {
	tps, err := New(nil, "tps")
	require.NoError(t, err)
	for _, r := range tps.List("mappingResolver.list") {
		p := tps.Sub("mappingResolver." + r)
		order := p.List("mapping.order")
		require.NotEmpty(t, order, r)
		assert.Len(t, p.Sub("mapping").Children(), len(order), r)
		for _, n := range order {
			target := p.String("mapping."+n+".target.tokenType") +
				p.String("mapping."+n+".target.keySet")
			assert.NotEmpty(t, target, r+" "+n)
			if r == "formatProfileMappingResolver" {
				assert.True(t, slices.Contains(tps.Sub("op.format").Children(), target), target)
			}
		}
	}
	assert.True(t, slices.Contains(tps.List("mappingResolver.list"),
		tps.String("op.format.mappingResolver")))
}

func TestDefaultKeySets(t *testing.T) {
	tks, err := New(nil, "tks")
	require.NoError(t, err)
	for set, first := range map[string][3]byte{
		"defKeySet": {0x40, 0x40, 0x40}, "jForte": {0x30, 0x40, 0x50},
	} {
		for i, name := range []string{"auth_key", "mac_key", "kek_key"} {
			b, err := tks.Sub("tks."+set).Hex(name, 16, 16)
			require.NoError(t, err)
			for j, x := range b {
				assert.Equal(t, first[i]+byte(j), x, "%s.%s byte %d", set, name, j)
			}
		}
	}
}
