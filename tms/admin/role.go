package admin

import (
	"fmt"
	"slices"
	"strings"
)

// Role is what somebody may do. Nobody has a role that is not stated.
type Role string

// The roles.
const (
	// Administrator adds and deletes, and configures.
	Administrator Role = "administrator"
	// Agent changes what there is: the state of a token, its policy, its user.
	Agent Role = "agent"
	// Operator looks.
	Operator Role = "operator"
)

// Roles returns all roles. The caller owns the slice.
func Roles() []Role { return []Role{Administrator, Agent, Operator} }

// ParseRoles reads a list of roles without regard to case, such as "agent, operator".
func ParseRoles(list string) ([]Role, error) {
	var out []Role
	for item := range strings.SplitSeq(list, ",") {
		r := Role(strings.ToLower(strings.TrimSpace(item)))
		if r == "" {
			continue
		}
		if !slices.Contains(Roles(), r) {
			return nil, fmt.Errorf("role %.60q is none: want %s, %s or %s", item, Administrator, Agent,
				Operator)
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out, nil
}

// Caller is who asks.
type Caller struct {
	// Name is the actor of what the caller changes.
	Name  string
	Roles []Role
	// Address is where the caller is; empty for the same machine.
	Address string
}

// Has tells whether the caller has any of the roles.
func (c Caller) Has(roles ...Role) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(c.Roles, r) })
}
