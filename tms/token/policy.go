package token

import (
	"fmt"
	"strings"
)

// Rule is one yes-or-no setting of a token's policy.
type Rule uint8

// The rules. RenewKeepOldEncCerts is never in the shipped text but applies
// unless a policy states otherwise.
const (
	ReEnroll Rule = iota
	Renew
	ForceFormat
	PINReset
	ResetPINResetToNo
	RenewKeepOldEncCerts
	ruleCount
)

var ruleNames = [ruleCount]string{
	ReEnroll:             "RE_ENROLL",
	Renew:                "RENEW",
	ForceFormat:          "FORCE_FORMAT",
	PINReset:             "PIN_RESET",
	ResetPINResetToNo:    "RESET_PIN_RESET_TO_NO",
	RenewKeepOldEncCerts: "RENEW_KEEP_OLD_ENC_CERTS",
}

// String returns the rule's name in policy text, such as RE_ENROLL.
func (r Rule) String() string {
	if r >= ruleCount {
		return fmt.Sprintf("RULE(%d)", uint8(r))
	}
	return ruleNames[r]
}

// maxPolicyText bounds policy text, in bytes. All rules written out take less
// than 150.
const maxPolicyText = 1024

// Policy is a set of rules, each stated YES, stated NO, or not stated. The zero
// value states nothing. Policies are layered: [DefaultPolicy] below, the
// configured default over it, the token's own record on top. Two policies are
// equal exactly when == says so.
type Policy struct {
	stated ruleSet
	yes    ruleSet // a subset of stated
}

type ruleSet uint8

// DefaultPolicy is what holds when nothing else states otherwise.
func DefaultPolicy() Policy {
	return Policy{}.
		With(ReEnroll, true).
		With(Renew, false).
		With(ForceFormat, false).
		With(PINReset, false).
		With(ResetPINResetToNo, false).
		With(RenewKeepOldEncCerts, true)
}

// With returns a copy of p that states rule r. A Rule that is not one of the
// constants changes nothing.
func (p Policy) With(r Rule, yes bool) Policy {
	if r >= ruleCount {
		return p
	}
	p.stated |= 1 << r
	if yes {
		p.yes |= 1 << r
	} else {
		p.yes &^= 1 << r
	}
	return p
}

// Over returns the policy that states what p states, and for the rest what base
// states.
func (p Policy) Over(base Policy) Policy {
	return Policy{
		stated: p.stated | base.stated,
		yes:    p.yes | base.yes&^p.stated,
	}
}

// States reports whether p says anything about rule r.
func (p Policy) States(r Rule) bool { return r < ruleCount && p.stated>>r&1 == 1 }

// IsZero reports whether p states nothing.
func (p Policy) IsZero() bool { return p.stated == 0 }

// Allows reports whether rule r is YES: as p states it, or as [DefaultPolicy]
// has it when p does not.
func (p Policy) Allows(r Rule) bool {
	return r < ruleCount && p.Over(DefaultPolicy()).yes>>r&1 == 1
}

// String returns the policy text: the stated rules in the order of their
// declaration, such as "RE_ENROLL=YES;RENEW=NO". ParsePolicy reads it back.
func (p Policy) String() string {
	var b strings.Builder
	for r := range ruleCount {
		if !p.States(r) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(';')
		}
		b.WriteString(ruleNames[r])
		if p.yes>>r&1 == 1 {
			b.WriteString("=YES")
		} else {
			b.WriteString("=NO")
		}
	}
	return b.String()
}

// ParsePolicy reads policy text: NAME=VALUE items separated by ";", where VALUE
// is YES, NO, true or false. Case and blanks around words do not matter, empty
// items are passed over, and empty text states nothing. An unknown rule, an
// unreadable value, or a rule stated both ways is an error that names it.
func ParsePolicy(text string) (Policy, error) {
	if len(text) > maxPolicyText {
		return Policy{}, fmt.Errorf("token policy: %d bytes, at most %d allowed",
			len(text), maxPolicyText)
	}
	var p Policy
	for item := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		rule, yes, err := parsePolicyItem(item)
		if err != nil {
			return Policy{}, fmt.Errorf("token policy: %w", err)
		}
		if p.States(rule) && p.Allows(rule) != yes {
			return Policy{}, fmt.Errorf("token policy: %s is stated both YES and NO", rule)
		}
		p = p.With(rule, yes)
	}
	return p, nil
}

func parsePolicyItem(item string) (Rule, bool, error) {
	name, value, found := strings.Cut(item, "=")
	if !found {
		return 0, false, fmt.Errorf("%s is not NAME=VALUE", quote(item))
	}
	name = strings.ToUpper(strings.TrimSpace(name))
	for r := range ruleCount {
		if ruleNames[r] != name {
			continue
		}
		switch strings.ToUpper(strings.TrimSpace(value)) {
		case "YES", "TRUE":
			return r, true, nil
		case "NO", "FALSE":
			return r, false, nil
		}
		return 0, false, fmt.Errorf("%s is %s, not YES or NO", name, quote(value))
	}
	return 0, false, fmt.Errorf("rule %s is not known", quote(name))
}

// MarshalText writes what String returns.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what [ParsePolicy] reads.
func (p *Policy) UnmarshalText(text []byte) error {
	got, err := ParsePolicy(string(text))
	if err != nil {
		return err
	}
	*p = got
	return nil
}
