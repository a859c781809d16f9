package features_test

import (
	"fmt"
	"go/build/constraint"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// floors are the storeys of the building, lowest first: a package imports from its own floor and
// from those below. A package stands on the floor of its longest entry.
var floors = [][]string{
	{"tms/gp/apdu", "tms/gp/tlv", "tms/gp/keys", "tms/gp/kdf", "tms/gp/scp"},
	{"tms/gp"},
	{"tms/coolkey", "tms/gp/decode"},
	{
		"tms/connector", "tms/wire", "tms/token", "tms/keystore", "tms/store", "tms/audit",
		"tms/conf", "fixtures",
	},
	{"tms/perso"},
	{"tms/tps", "tms/tks", "tms/ca", "tms/kra", "tms/esc", "tms/admin", "simcard", "vpcd"},
	{"tms/instance"}, // puts the subsystems of one instance together
	{"features"},
	{"cmd", "scripts"},
}

// floorOf returns the number of a package's floor, or -1.
func floorOf(pkg string) int {
	found, longest := -1, ""
	for i, f := range floors {
		for _, room := range f {
			if under(pkg, room) && len(room) > len(longest) {
				found, longest = i, room
			}
		}
	}
	return found
}

// rule refuses imports, and says why.
type rule struct {
	name, reason string
	refuses      func(from *source, to string) bool
}

var subsystems = []string{"tms/tps", "tms/tks", "tms/ca", "tms/kra"}

// cgoModules are the libraries that need cgo, each with its build tag and its homes.
var cgoModules = map[string]struct {
	tag   string
	homes []string
}{
	"github.com/ebfe/scard":   {"pcsc", []string{"tms/esc/pcsc", "features"}},
	"github.com/miekg/pkcs11": {"pkcs11", []string{"tms/keystore/pkcs11", "features"}},
}

var rules = []rule{
	{
		"no simulator in an operator's binary",
		"tms/** holds no simulator, no reader and no fixture secret (tests apart)",
		func(from *source, to string) bool {
			return under(from.dir, "tms") && !from.test && !helper(from.dir) &&
				under(to, "simcard", "vpcd", "features", "fixtures")
		},
	},
	{
		"a card knows only the card language",
		"simcard/** imports tms/gp/** and tms/coolkey; no token type, no connector, no directory",
		func(from *source, to string) bool {
			return under(from.dir, "simcard") && !from.test && inside(to) &&
				!under(to, "simcard", "tms/gp", "tms/coolkey")
		},
	},
	{
		"vpcd carries bytes",
		"vpcd imports nothing of the module",
		func(from *source, to string) bool {
			return under(from.dir, "vpcd") && inside(to) && !under(to, "vpcd")
		},
	},
	{
		"subsystems meet in connector",
		"tps, tks, ca, kra never import each other, and admin sees them through the same contracts",
		func(from *source, to string) bool {
			if from.test || !under(to, subsystems...) {
				return false
			}
			for _, s := range subsystems {
				if under(from.dir, s) {
					return !under(to, s)
				}
			}
			return under(from.dir, "tms/admin")
		},
	},
	{
		"only the TKS derives card keys",
		"gp/kdf is for tks, simcard, features and cmd/simcard; perso takes session keys from its " +
			"caller (keystore names kdf.Secret, the key by operation, in its contract)",
		func(from *source, to string) bool {
			return to == "tms/gp/kdf" && !from.test && !under(from.dir, "tms/gp/kdf", "tms/tks",
				"tms/keystore", "simcard", "features", "cmd/simcard")
		},
	},
	{
		"the client passes opaque bytes",
		"only tps and perso understand APDUs in a session: wire, esc, connector, store, conf and " +
			"token know no secure channel; esc status may read a card outside of one",
		func(from *source, to string) bool {
			return !from.test && under(from.dir, "tms/wire", "tms/esc", "tms/connector", "tms/store",
				"tms/conf", "tms/token") && under(to, "tms/gp/scp", "tms/gp/kdf")
		},
	},
	{
		"cgo has few homes",
		"ebfe/scard and miekg/pkcs11 need cgo: they live in tms/esc/pcsc, tms/keystore/pkcs11 and " +
			"the harness, in files that neither build without their tag nor without cgo",
		func(from *source, to string) bool {
			m, ok := cgoModules[to]
			return ok && (!under(from.dir, m.homes...) || !needsTags(from, m.tag, "cgo"))
		},
	},
	{
		"no cgo of our own",
		"C code has its homes in the libraries that are adopted for it",
		func(_ *source, to string) bool { return to == "C" || to == "plugin" },
	},
	{
		"the development directory stays out of production",
		"glauth is for features/lab, cmd/tmsdev and the tests of tps/auth, and its pkg/server for " +
			"nobody",
		func(from *source, to string) bool {
			return under(to, "github.com/glauth/glauth/v2/pkg/server") ||
				under(to, "github.com/glauth") && !under(from.dir, "features/lab", "cmd/tmsdev") &&
					!(from.test && under(from.dir, "tms/tps/auth"))
		},
	},
	{
		"godog drives features",
		"godog is for features/** and cmd/cardcert",
		func(from *source, to string) bool {
			return under(to, "github.com/cucumber") && !under(from.dir, "features", "cmd/cardcert")
		},
	},
	{
		"testify is for tests",
		"testify, and packages that help tests, are for _test.go files, test helpers and features/**",
		func(from *source, to string) bool {
			testing := under(to, "github.com/stretchr/testify") || to == "testing" ||
				inside(to) && helper(to)
			return testing && !from.test && !helper(from.dir) && !under(from.dir, "features")
		},
	},
	{
		"the lowest floor stands on the standard library",
		"gp/{apdu,tlv,keys,kdf,scp} import the standard library and each other (tests apart)",
		func(from *source, to string) bool {
			return !from.test && floorOf(from.dir) == 0 && floorOf(to) != 0 && !standard(to)
		},
	},
	{
		"imports go down",
		"a package imports from its own floor and those below (tests apart)",
		func(from *source, to string) bool {
			return !from.test && inside(to) && floorOf(to) > floorOf(from.dir)
		},
	},
	{
		"no main is a library",
		"cmd/** and scripts/** are imported by nobody else",
		func(from *source, to string) bool {
			return under(to, "cmd", "scripts") && !under(from.dir, to) && !under(to, from.dir) &&
				!sameCommand(from.dir, to)
		},
	},
}

// needsTags says whether the file is left out of a build that lacks any one of the tags.
func needsTags(f *source, tags ...string) bool {
	return f.tags != nil && !slices.ContainsFunc(tags, func(missing string) bool {
		return f.tags.Eval(func(tag string) bool { return tag != missing })
	})
}

// standard says whether an import path is of the standard library: no dot in its first element.
func standard(to string) bool {
	first, _, _ := strings.Cut(to, "/")
	return !strings.Contains(first, ".") && !inside(to)
}

// sameCommand says whether both are parts of one command, as cmd/tms and cmd/tms/serve are.
func sameCommand(a, b string) bool {
	one, two := strings.Split(a, "/"), strings.Split(b, "/")
	return len(one) > 1 && len(two) > 1 && one[0] == two[0] && one[1] == two[1]
}

func TestFloors(t *testing.T) {
	all := references()
	assert.NotEmpty(t, all)
	for _, r := range all {
		for _, rule := range rules {
			if rule.refuses(r.file, r.target) {
				t.Errorf("%s:%d imports %s\n\t%s: %s", r.file.path, r.line, r.target,
					rule.name, rule.reason)
			}
		}
	}
}

func TestEveryPackageHasAFloor(t *testing.T) {
	files, _ := sources()
	for _, f := range files {
		if floorOf(f.dir) < 0 {
			t.Errorf("%s: package %s stands on no floor: give it one in floors, or move it",
				f.path, f.dir)
		}
	}
}

// The rules can refuse: each one is shown an import that breaks it, and one close by that does not.
func TestRulesRefuse(t *testing.T) {
	tests := []struct {
		rule, from, tags, to string
		refused              bool
	}{
		{"no simulator", "tms/tps/a.go", "", "simcard", true},
		{"no simulator", "tms/esc/a.go", "", "vpcd", true},
		{"no simulator", "tms/tps/a_test.go", "", "simcard", false},
		{"no simulator", "cmd/esc/a.go", "", "vpcd", false},
		{"a card knows", "simcard/isd/a.go", "", "tms/token", true},
		{"a card knows", "simcard/isd/a.go", "", "tms/gp/scp", false},
		{"vpcd carries", "vpcd/a_test.go", "", "tms/gp/apdu", true},
		{"vpcd carries", "vpcd/a.go", "", "net", false},
		{"subsystems meet", "tms/tps/op/a.go", "", "tms/tks", true},
		{"subsystems meet", "tms/admin/a.go", "", "tms/tps/tokendb", true},
		{"subsystems meet", "tms/tps/op/a.go", "", "tms/tps/auth", false},
		{"subsystems meet", "tms/instance/a.go", "", "tms/tks", false},
		{"only the TKS", "tms/perso/a.go", "", "tms/gp/kdf", true},
		{"only the TKS", "tms/tks/a.go", "", "tms/gp/kdf", false},
		{"the client", "tms/esc/a.go", "", "tms/gp/scp", true},
		{"the client", "tms/esc/a.go", "", "tms/gp/decode", false},
		{"cgo has", "tms/tps/a.go", "pcsc && cgo", "github.com/ebfe/scard", true},
		{"cgo has", "tms/esc/pcsc/a.go", "", "github.com/ebfe/scard", true},
		{"cgo has", "tms/esc/pcsc/a.go", "pcsc", "github.com/ebfe/scard", true},
		{"cgo has", "tms/esc/pcsc/a.go", "pcsc || cgo", "github.com/ebfe/scard", true},
		{"cgo has", "tms/esc/pcsc/a.go", "pcsc && cgo", "github.com/ebfe/scard", false},
		{"cgo has", "tms/keystore/pkcs11/a.go", "pcsc && cgo", "github.com/miekg/pkcs11", true},
		{"no cgo", "tms/esc/pcsc/a.go", "pcsc && cgo", "C", true},
		{"the development", "tms/tps/auth/a.go", "", "github.com/glauth/ldap", true},
		{"the development", "tms/tps/op/a_test.go", "", "github.com/glauth/ldap", true},
		{"the development", "tms/tps/auth/a_test.go", "", "github.com/glauth/ldap", false},
		{"the development", "features/lab/a.go", "", "github.com/glauth/glauth/v2/pkg/server", true},
		{"the development", "cmd/tmsdev/a.go", "", "github.com/glauth/ldap", false},
		{"godog", "tms/tps/a_test.go", "", "github.com/cucumber/godog", true},
		{"godog", "cmd/cardcert/a.go", "", "github.com/cucumber/godog", false},
		{"testify", "tms/tps/a.go", "", "github.com/stretchr/testify/require", true},
		{"testify", "tms/store/sql/a.go", "", "tms/store/storetest", true},
		{"testify", "tms/store/storetest/a.go", "", "github.com/stretchr/testify/require", false},
		{"testify", "features/steps/a.go", "", "github.com/stretchr/testify/require", false},
		{"the lowest", "tms/gp/scp/a.go", "", "golang.org/x/crypto/cryptobyte", true},
		{"the lowest", "tms/gp/scp/a.go", "", "tms/gp", true},
		{"the lowest", "tms/gp/scp/a.go", "", "crypto/aes", false},
		{"imports go down", "tms/gp/a.go", "", "tms/perso", true},
		{"imports go down", "features/lab/a.go", "", "tms/instance", false},
		{"no main", "features/lab/a.go", "", "cmd/tms", true},
		{"no main", "cmd/tms/a.go", "", "cmd/tms/serve", false},
	}
	tried := map[string]int{}
	for _, tt := range tests {
		from := &source{
			path: tt.from, dir: tt.from[:strings.LastIndexByte(tt.from, '/')],
			test: strings.HasSuffix(tt.from, "_test.go"),
		}
		if tt.tags != "" {
			var err error
			from.tags, err = constraint.Parse("//go:build " + tt.tags)
			assert.NoError(t, err)
		}
		for _, r := range rules {
			if strings.HasPrefix(r.name, tt.rule) {
				assert.Equal(t, tt.refused, r.refuses(from, tt.to), fmt.Sprint(r.name, ": ", tt))
				tried[r.name]++
			}
		}
	}
	for _, r := range rules {
		assert.NotZero(t, tried[r.name], "rule %q is not shown to refuse anything", r.name)
	}
}
