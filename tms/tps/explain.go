package tps

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tokenwright/tms/conf"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// Question is what Explain is asked: an operation on a card, as far as both are known.
type Question struct {
	Operation wire.Operation
	Input     mapping.Input
	// Record is the token's; nil for a card that was never seen.
	Record *token.Record
	// UserID is who would log in, Others are their other tokens, the latest modified
	// first.
	UserID string
	Others []token.Record
	// Attributes are what the user's entry in the directory says, as far as it is known;
	// they count under external registration.
	Attributes map[string][]string
}

// Explained is what would decide, step by step, without touching a card.
type Explained struct {
	Operation string          `json:"operation"`
	Steps     []ExplainedStep `json:"steps"`
	TokenType string          `json:"tokenType,omitempty"`
	KeySet    string          `json:"keySet,omitempty"`
	// Code is what the client would be told, as far as this goes: 0 or why not.
	Code int    `json:"code"`
	Why  string `json:"why,omitempty"`
}

// ExplainedStep is one decision.
type ExplainedStep struct {
	What     string   `json:"what"` // mapping, profile, key set, transition, policy, user
	Decision string   `json:"decision"`
	Details  []string `json:"details,omitempty"`
	// Mappings are how each mapping of a resolver takes the input.
	Mappings []mapping.Explanation `json:"mappings,omitempty"`
}

// Explain tells which mapping, profile, policy and transition would decide about a card,
// from the options of a server that need not run. A mistake in the configuration is the
// error; that the operation would be refused is not.
func Explain(o Options, q Question) (Explained, error) {
	settings, err := profile.Load(o.Config, o.Dir)
	if err != nil {
		return Explained{}, fmt.Errorf("reading tps configuration: %w", err)
	}
	rules, err := loadRules(o.Config)
	if err != nil {
		return Explained{}, fmt.Errorf("reading tps configuration: %w", err)
	}
	resolvers, err := loadResolvers(o)
	if err != nil {
		return Explained{}, fmt.Errorf("reading tps configuration: %w", err)
	}
	e := &explaining{
		Question: q, settings: settings, rules: rules, resolvers: resolvers, config: o.Config,
	}
	for _, step := range []func() bool{
		e.operation, e.mapping, e.profile, e.keySet, e.transition, e.policy, e.user,
	} {
		if !step() {
			break
		}
	}
	return e.out, nil
}

// explaining is a question that is being answered. Each step tells whether there is a
// point in going on.
type explaining struct {
	Question
	settings  *profile.Settings
	rules     tokendb.Rules
	resolvers map[string]mapping.Resolver
	config    *conf.Config
	out       Explained

	name string // of the operation, as keys of the configuration have it
	op   profile.Operation
	card profile.Card
	// enroll is set for that operation only.
	enroll *profile.Enroll
	to     token.State
}

func (e *explaining) step(what, decision string, details ...string) {
	e.out.Steps = append(e.out.Steps, ExplainedStep{What: what, Decision: decision, Details: details})
}

// refused ends the answer.
func (e *explaining) refused(what string, code wire.Status, format string, args ...any) bool {
	why := fmt.Sprintf(format, args...)
	e.step(what, "refused, code "+fmt.Sprint(int(code))+": "+why)
	e.out.Code, e.out.Why = int(code), why
	return false
}

func (e *explaining) operation() bool {
	switch e.Operation {
	case wire.OpFormat:
		e.name, e.op, e.to = "format", e.settings.Format, token.Formatted
	case wire.OpEnroll:
		e.name, e.op, e.to = "enroll", e.settings.Enroll, token.Active
	case wire.OpResetPIN:
		e.name, e.op, e.to = "pinReset", e.settings.PINReset, token.Active
	default:
		return e.refused("operation", wire.StatusCannotPerformOperation, "it is not offered")
	}
	e.out.Operation = e.name
	return true
}

// resolve asks a resolver and adds how it decides.
func (e *explaining) resolve(what, name string, target mapping.Target) (string, error) {
	r, ok := e.resolvers[name]
	if !ok {
		return "", fmt.Errorf("%w: mapping resolver %s is not configured", mapping.ErrConfig, name)
	}
	s := ExplainedStep{What: what}
	if x, ok := r.(mapping.Explainer); ok {
		s.Mappings = x.Explain(e.Input)
	}
	res, err := r.Resolve(e.Input, target)
	switch {
	case err == nil && res.Mapping != "":
		s.Decision = fmt.Sprintf("%s, by mapping %s of %s", res.Value, res.Mapping, name)
	case err == nil:
		s.Decision = fmt.Sprintf("%s, by %s", res.Value, name)
	default:
		s.Decision = "nothing, by " + name
	}
	e.out.Steps = append(e.out.Steps, s)
	return res.Value, err
}

// noResolver is how configuration says that nothing is to be resolved.
const noResolver = "none"

func (e *explaining) mapping() bool {
	if e.settings.External != nil {
		return e.registration()
	}
	if e.op.Resolver == noResolver {
		e.out.TokenType = e.Input.TokenType
		e.step("mapping", fmt.Sprintf("token type %q, as the client wishes: no resolver is configured",
			e.Input.TokenType))
		return true
	}
	typ, err := e.resolve("mapping", e.op.Resolver, mapping.TargetTokenType)
	var bad *mapping.Error
	switch {
	case errors.As(err, &bad):
		return e.refused("mapping", wire.Status(bad.Status()), "%v", bad.Kind)
	case err != nil:
		return e.refused("mapping", wire.StatusMappingResolverParams, "%v", err)
	}
	e.out.TokenType = typ
	return true
}

func (e *explaining) profile() bool {
	typ := e.out.TokenType
	var ok bool
	var details []string
	switch e.Operation {
	case wire.OpFormat:
		var f profile.Format
		f, ok = e.settings.Formats[typ]
		e.card = f.Card
		if f.Revoke {
			details = append(details, fmt.Sprintf("certificates are revoked, reason %d", int(f.Reason)))
		}
	case wire.OpEnroll:
		var n profile.Enroll
		n, ok = e.settings.Enrolls[typ]
		e.card, e.enroll = n.Card, &n
		details = append(details, keyDetails(n)...)
	default:
		var p profile.PINReset
		p, ok = e.settings.PINResets[typ]
		e.card = p.Card
		details = append(details, fmt.Sprintf("PIN of %d to %d bytes", p.PIN.Min, p.PIN.Max))
	}
	switch {
	case !ok:
		return e.refused("profile", wire.StatusMappingResolverParams, "no settings op.%s.%s.*",
			e.name, typ)
	case !e.settings.Enabled(typ):
		return e.refused("profile", wire.StatusDisabledToken, "config.Profiles.%s.state is not Enabled", typ)
	case e.enroll != nil && e.settings.External == nil && !e.card.Login && !e.enroll.Device:
		return e.refused("profile", wire.StatusLogin, "%s enrolls persons and asks nobody to log in", typ)
	case e.Operation == wire.OpResetPIN && !e.settings.PINResets[typ].SetPIN:
		return e.refused("profile", wire.StatusNotPINResetable, "PINs of %s are not set", typ)
	}
	e.step("profile", typ, append(e.cardDetails(), details...)...)
	return true
}

// cardDetails are what all operations have alike.
func (e *explaining) cardDetails() []string {
	c := e.card
	out := []string{"nobody has to log in"}
	if c.Login {
		out[0] = "whoever brings it logs in at " + c.AuthID
	}
	var applets []string
	for scp, version := range c.AppletVersion {
		if version != "" {
			applets = append(applets, fmt.Sprintf("%s on SCP%02d cards", version, scp))
		}
	}
	if c.UpdateApplet && len(applets) > 0 {
		out = append(out, "applet "+strings.Join(applets, ", "))
	}
	if c.ChangeKeys {
		out = append(out, fmt.Sprintf("the card's own keys are changed to version %02X", byte(c.RequiredKVN)))
	}
	return out
}

func keyDetails(n profile.Enroll) []string {
	var out []string
	for _, name := range n.KeyTypes {
		k := n.Keys[name]
		where := "made on the card"
		if k.ServerSide {
			where = "made by " + k.KRA
		}
		out = append(out, fmt.Sprintf("%s key %s, certified by %s, profile %s", name, where, k.CA,
			k.ProfileID))
	}
	return out
}

// keySet decides as operations do: the token type, the resolver, the connector, the
// default.
func (e *explaining) keySet() bool {
	name := e.op.KeySetResolver
	switch {
	case e.out.KeySet != "":
		return true // decided before anybody logged in
	case e.settings.External != nil:
		// A token type that the directory names does not know which card is there.
	case e.card.KeySet != "":
		e.out.KeySet = e.card.KeySet
		e.step("key set", e.card.KeySet+", which the token type names")
		return true
	case name != "" && name != noResolver:
		set, err := e.resolve("key set", name, mapping.TargetKeySet)
		if err == nil {
			e.out.KeySet = set
			return true
		}
		if !errors.Is(err, mapping.ErrNoMapping) {
			return e.refused("key set", wire.StatusMappingResolverParams, "%v", err)
		}
	}
	if set := e.settings.Connectors[e.card.TKS].KeySet; set != "" {
		e.out.KeySet = set
		e.step("key set", fmt.Sprintf("%s, which connector %s names", set, e.card.TKS))
		return true
	}
	e.out.KeySet = "defKeySet"
	e.step("key set", "defKeySet, as nothing else says")
	return true
}

// origin tells where a setting stands.
func (e *explaining) origin(key string) string {
	file, line, ok := e.config.Origin(key)
	if !ok {
		return key
	}
	return fmt.Sprintf("%s, %s:%d", key, file, line)
}

var states = []token.State{token.Damaged, token.PermLost, token.Suspended}

func outOfUse(s token.State) bool { return slices.Contains(states, s) }
