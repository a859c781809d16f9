package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/tps/mapping"
)

// values is a configuration that remembers what was asked for.
type values struct {
	set  map[string]string
	read map[string]bool
}

func (v values) String(key string) string {
	v.read[key] = true
	return v.set[key]
}

// configure reads lines of key=value under mappingResolver.r.
func configure(lines ...string) values {
	v := values{set: map[string]string{"mappingResolver.r.class_id": mapping.FilterClassID},
		read: make(map[string]bool)}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		v.set["mappingResolver.r."+key] = value
	}
	return v
}

func resolver(t *testing.T, lines ...string) mapping.Resolver {
	t.Helper()
	r, err := mapping.Builtin().New(configure(lines...), "r")
	require.NoError(t, err)
	return r
}

func TestEachFilter(t *testing.T) {
	const cuid = "40906145C76224192D2B"
	full := mapping.Input{
		AppletMajor: 1, AppletMinor: 4, ATR: "3B759400006202020201", CUID: cuid,
		TokenType: "soKey", KeySet: "jForte", SymKeySize: 256,
	}
	for _, tc := range []struct {
		filter string
		in     mapping.Input
		want   bool
	}{
		{"appletMajorVersion=1", full, true},
		{"appletMajorVersion=01", full, false}, // text, not number
		{"appletMajorVersion=0", mapping.Input{}, true},
		{"appletMajorVersion=1", mapping.Input{}, false},
		{"appletMinorVersion=4", full, true},
		{"appletMinorVersion=14", full, false},
		{"tokenATR=3b759400006202020201", full, true},
		{"tokenATR=3B7594000062020202", full, false},
		{"tokenATR=3B", mapping.Input{}, false},
		{"tokenCUID.start=40906145c76224192d2b", full, true},
		{"tokenCUID.start=40906145C76224192D2C", full, false},
		{"tokenCUID.start=00000000000000000000", full, true},
		{"tokenCUID.end=40906145C76224192D2B", full, true},
		{"tokenCUID.end=40906145C76224192D2A", full, false},
		{"tokenCUID.end=FFFFFFFFFFFFFFFFFFFF", full, true},
		{"tokenCUID.end=FFFFFFFFFFFFFFFFFFFF", mapping.Input{}, false},
		{"tokenCUID.end=FFFFFFFFFFFFFFFFFFFF", mapping.Input{CUID: "4090"}, false},
		{"tokenCUID.end=FFFFFFFFFFFFFFFFFFFF", mapping.Input{CUID: strings.Repeat("!", 20)}, false},
		{"tokenType=soKey", full, true},
		{"tokenType=sokey", full, false},
		{"tokenType=soKey", mapping.Input{}, false},
		{"keySet=jForte", full, true},
		{"keySet=defKeySet", full, false},
		{"symKeySize=256", full, true},
		{"symKeySize=128", full, false},
		{"symKeySize=0", mapping.Input{}, false}, // never learnt is not zero
		{"tokenType=", mapping.Input{}, true},
		{"tokenType=   ", mapping.Input{}, true},
		{"unheardOf=1", full, true}, // not a filter: the configuration's warning is its place
	} {
		t.Run(fmt.Sprintf("%s %v", tc.filter, tc.want), func(t *testing.T) {
			r := resolver(t, "mapping.order=0", "mapping.0.filter."+tc.filter,
				"mapping.0.target.tokenType=yes")
			got, err := r.Resolve(tc.in, mapping.TargetTokenType)
			require.Len(t, got.Tried, 1)
			if tc.want {
				require.NoError(t, err)
				require.Equal(t, "yes", got.Value)
				require.Equal(t, "0", got.Mapping)
				require.Equal(t, "mapping 0 fits", got.Explain())
				return
			}
			require.ErrorIs(t, err, mapping.ErrNoMapping)
			require.Empty(t, got.Value)
			require.Contains(t, got.Tried[0].Failed, strings.SplitN(tc.filter, "=", 2)[0])
		})
	}
}

func TestFirstFitInOrder(t *testing.T) {
	r := resolver(t, "mapping.order=2, 0,1",
		"mapping.0.filter.tokenType=soKey", "mapping.0.filter.appletMajorVersion=1",
		"mapping.0.target.tokenType=so",
		"mapping.1.target.tokenType=rest", "mapping.1.target.keySet=defKeySet",
		"mapping.2.filter.tokenCUID.start=40000000000000000000",
		"mapping.2.filter.tokenCUID.end=4FFFFFFFFFFFFFFFFFFF",
		"mapping.2.target.tokenType=vendor")
	vendor := "40906145C76224192D2B"
	for _, tc := range []struct {
		in            mapping.Input
		value, chosen string
		tried         int
	}{
		{mapping.Input{CUID: vendor, TokenType: "soKey", AppletMajor: 1}, "vendor", "2", 1},
		{mapping.Input{TokenType: "soKey", AppletMajor: 1}, "so", "0", 2},
		{mapping.Input{TokenType: "soKey"}, "rest", "1", 3}, // all filters of a mapping count
		{mapping.Input{}, "rest", "1", 3},
	} {
		got, err := r.Resolve(tc.in, mapping.TargetTokenType)
		require.NoError(t, err)
		require.Equal(t, tc.value, got.Value)
		require.Equal(t, tc.chosen, got.Mapping)
		require.Len(t, got.Tried, tc.tried)
	}
	got, err := r.Resolve(mapping.Input{}, mapping.TargetKeySet)
	require.NoError(t, err)
	require.Equal(t, "defKeySet", got.Value)
	require.Equal(t, `mapping 2: filter tokenCUID.start wants "40000000000000000000", `+
		`nothing was given; mapping 0: filter appletMajorVersion wants "1", got "0"; `+
		`mapping 1 fits`, got.Explain())

	_, err = r.Resolve(mapping.Input{CUID: vendor}, mapping.TargetKeySet)
	var e *mapping.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 22, e.Status(), "the first fit decides, though a later one has the target")
	require.ErrorContains(t, err, "mapping 2 fits but has no target keySet")
}

func TestAllTargets(t *testing.T) {
	r := resolver(t, "mapping.order=x", "mapping.x.target.tokenType=a", "mapping.x.target.keySet=b",
		"mapping.x.target.keyWrapAlg=c", "mapping.x.target.appletVer=d",
		"mapping.x.target.keyGenUsages=e")
	for target, want := range map[mapping.Target]string{
		mapping.TargetTokenType: "a", mapping.TargetKeySet: "b", mapping.TargetKeyWrapAlg: "c",
		mapping.TargetAppletVer: "d", mapping.TargetKeyGenUsages: "e",
	} {
		got, err := r.Resolve(mapping.Input{}, target)
		require.NoError(t, err)
		require.Equal(t, want, got.Value)
	}
	_, err := r.Resolve(mapping.Input{}, "colour")
	require.ErrorIs(t, err, mapping.ErrNoMapping)
}

func TestConfigurationRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		lines []string
		want  string
	}{
		"no order":        {nil, "mappingResolver.r.mapping.order is not set"},
		"empty item":      {[]string{"mapping.order=0,,1", "mapping.0.target.keySet=x"}, "empty item"},
		"twice":           {[]string{"mapping.order=0,0", "mapping.0.target.keySet=x"}, `"0" twice`},
		"no such mapping": {[]string{"mapping.order=0"}, "mapping.0.target.* is not set"},
		"short CUID": {[]string{"mapping.order=0", "mapping.0.filter.tokenCUID.start=4090"},
			"mapping.0.filter.tokenCUID.start"},
		"CUID that is no number": {
			[]string{"mapping.order=0", "mapping.0.filter.tokenCUID.end=" + strings.Repeat("x", 20)},
			"not 20 hexadecimal digits",
		},
		"no class":      {[]string{"class_id="}, "class_id is not set"},
		"unknown class": {[]string{"class_id=magic"}, `"magic" is not a known class`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mapping.Builtin().New(configure(tc.lines...), "r")
			require.ErrorIs(t, err, mapping.ErrConfig)
			require.ErrorContains(t, err, tc.want)
			var e *mapping.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, 23, e.Status())
		})
	}
	many := make([]string, 2000)
	lines := []string{}
	for i := range many {
		many[i] = fmt.Sprint(i)
		lines = append(lines, fmt.Sprintf("mapping.%d.target.keySet=x", i))
	}
	_, err := mapping.Builtin().New(
		configure(append(lines, "mapping.order="+strings.Join(many, ","))...), "r")
	require.ErrorContains(t, err, "more than 1000")
}

// TestReadsAllKeys: no key of a mapping may look unread.
func TestReadsAllKeys(t *testing.T) {
	v := configure("mapping.order=0", "mapping.0.filter.tokenType=x", "mapping.0.target.keySet=y")
	_, err := mapping.Builtin().New(v, "r")
	require.NoError(t, err)
	for _, key := range []string{
		"class_id", "mapping.order", "mapping.0.filter.appletMajorVersion",
		"mapping.0.filter.tokenCUID.end", "mapping.0.filter.symKeySize", "mapping.0.target.appletVer",
	} {
		require.True(t, v.read["mappingResolver.r."+key], key)
	}
}

// fixed is a resolver of another kind.
type fixed string

func (f fixed) Resolve(mapping.Input, mapping.Target) (mapping.Result, error) {
	return mapping.Result{Value: string(f)}, nil
}

func TestPlugIn(t *testing.T) {
	registry := mapping.Builtin()
	registry["fixedImpl"] = func(c mapping.Config, instance string) (mapping.Resolver, error) {
		return fixed(c.String("mappingResolver." + instance + ".value")), nil
	}
	r, err := registry.New(configure("class_id=fixedImpl", "value=always"), "r")
	require.NoError(t, err)
	got, err := r.Resolve(mapping.Input{}, mapping.TargetTokenType)
	require.NoError(t, err)
	require.Equal(t, "always", got.Value)
	require.NotContains(t, mapping.Builtin(), "fixedImpl", "registries are apart")
}

// TestShippedResolvers resolves with the configuration a new instance has.
func TestShippedResolvers(t *testing.T) {
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(""), "tps")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		in     mapping.Input
		target mapping.Target
		want   string
	}{
		"formatProfileMappingResolver": {mapping.Input{}, mapping.TargetTokenType, "userKey"},
		"keySetMappingResolver":        {mapping.Input{}, mapping.TargetKeySet, "defKeySet"},
	} {
		r, err := mapping.Builtin().New(c, name)
		require.NoError(t, err)
		got, err := r.Resolve(tc.in, tc.target)
		require.NoError(t, err)
		require.Equal(t, tc.want, got.Value, got.Explain())
	}
	r, err := mapping.Builtin().New(c, "formatProfileMappingResolver")
	require.NoError(t, err)
	got, err := r.Resolve(mapping.Input{AppletMajor: 1, TokenType: "soKey"}, mapping.TargetTokenType)
	require.NoError(t, err)
	require.Equal(t, "soKey", got.Value, got.Explain())
}
