// Package mapping decides, from what a card and its client show, which token
// type, key set, applet version or key wrapping applies: the mapping resolvers
// of the configuration.
//
// It owns the input of that decision, the plug-in point for further resolvers,
// and FilterMappingResolver. It must not know how configuration is stored, how
// the facts were learnt, or what is done with the answer.
package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Wire status numbers that the errors of this package carry.
const (
	statusFailed = 22
	statusParams = 23
)

// The decisions a caller can take.
var (
	// ErrNoMapping: no mapping fits, or the one that fits has no such target.
	ErrNoMapping = errors.New("no mapping fits")
	// ErrConfig: the resolver's configuration is missing or makes no sense.
	ErrConfig = errors.New("mapping resolver misconfigured")
)

// Error is what resolvers return.
type Error struct {
	// Kind is ErrNoMapping or ErrConfig.
	Kind error
	// Resolver is the configured name of the resolver.
	Resolver string
	// Detail says what was tried, or what is wrong, naming configuration keys.
	Detail string
}

// Error returns the text for the log.
func (e *Error) Error() string {
	return fmt.Sprintf("mapping resolver %s: %v: %s", e.Resolver, e.Kind, e.Detail)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Status returns the number that the client is told at the end of the
// operation: 22 when nothing fits, 23 when configuration is at fault.
func (e *Error) Status() int {
	if errors.Is(e.Kind, ErrConfig) {
		return statusParams
	}
	return statusFailed
}

// Config is what a resolver reads its configuration from: the value of a key,
// empty when it is not set.
type Config interface {
	String(key string) string
}

// Input is what is known of the card and its client. Everything in it is
// foreign and only ever compared.
type Input struct {
	// AppletMajor and AppletMinor are the applet's version; both are 0 for a
	// card without applet.
	AppletMajor int
	AppletMinor int
	// ATR is the client's tokenATR extension, hex.
	ATR string
	// CUID is the card's, 20 hex digits.
	CUID string
	// TokenType and KeySet are the client's extensions of these names.
	TokenType string
	KeySet    string
	// SymKeySize is the size in bits of the card's keys as learnt from it (128,
	// 256); 0 when it was not asked.
	SymKeySize int
}

// Target names what is to be decided.
type Target string

// The targets.
const (
	TargetTokenType    Target = "tokenType"
	TargetKeySet       Target = "keySet"
	TargetKeyWrapAlg   Target = "keyWrapAlg"
	TargetAppletVer    Target = "appletVer"
	TargetKeyGenUsages Target = "keyGenUsages"
)

// Result is a decision and how it came about.
type Result struct {
	// Value is what was decided; never empty when the error is nil.
	Value string
	// Mapping is the name of the mapping that fitted, such as "3".
	Mapping string
	// Tried are the mappings looked at, in order, the fitting one last. It is
	// filled in on errors too.
	Tried []Attempt
}

// Attempt is one mapping looked at.
type Attempt struct {
	Mapping string
	// Failed says which filter did not let the input through; empty when all
	// did.
	Failed string
}

// Explain returns the decision in words, on one line.
func (r Result) Explain() string {
	parts := make([]string, 0, len(r.Tried))
	for _, a := range r.Tried {
		if a.Failed == "" {
			parts = append(parts, "mapping "+a.Mapping+" fits")
		} else {
			parts = append(parts, "mapping "+a.Mapping+": "+a.Failed)
		}
	}
	return strings.Join(parts, "; ")
}

// Resolver decides.
type Resolver interface {
	// Resolve decides target for the input. Errors are [*Error].
	Resolve(in Input, target Target) (Result, error)
}

// Factory makes the resolver of one configured instance. It reports all that is
// wrong with the configuration, so that it comes to light at start.
type Factory func(c Config, instance string) (Resolver, error)

// Registry holds the kinds of resolver by class id.
type Registry map[string]Factory

var (
	pluginsMu sync.Mutex
	plugins   = Registry{}
)

// Register makes a kind of resolver known by its class id, for whoever builds a server
// with resolvers of their own: its main package calls it before it makes the server. It
// panics for a class id that is known already, as that
// is a mistake of whoever builds.
func Register(classID string, f Factory) {
	pluginsMu.Lock()
	defer pluginsMu.Unlock()
	if _, known := plugins[classID]; known || classID == FilterClassID || classID == "" || f == nil {
		panic(fmt.Sprintf("mapping: class id %q can't be registered", classID))
	}
	plugins[classID] = f
}

// Builtin returns a new registry of the kinds that the system ships with, and of those
// that were registered.
func Builtin() Registry {
	pluginsMu.Lock()
	defer pluginsMu.Unlock()
	out := maps.Clone(plugins)
	out[FilterClassID] = NewFilter
	return out
}

// New makes the resolver that configuration declares under
// mappingResolver.<instance>.
func (r Registry) New(c Config, instance string) (Resolver, error) {
	key := "mappingResolver." + instance + ".class_id"
	class := c.String(key)
	if class == "" {
		return nil, &Error{Kind: ErrConfig, Resolver: instance, Detail: key + " is not set"}
	}
	factory, ok := r[class]
	if !ok {
		return nil, &Error{Kind: ErrConfig, Resolver: instance,
			Detail: fmt.Sprintf("%s=%.100q is not a known class: want one of %s", key, class,
				strings.Join(slices.Sorted(maps.Keys(r)), ", "))}
	}
	return factory(c, instance)
}
