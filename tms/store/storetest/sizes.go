package storetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Size is how much a home holds: so many tokens, with one certificate each, and so many activities.
// What each of them looks like follows from its number, so that homes can be filled by whatever way is
// the quickest.
type Size struct{ Tokens, Activities int }

// SizeEpoch is when the first token was made. Tokens are a minute apart, activities six seconds.
var SizeEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// The distances in time, how many tokens a person has, and how many activities a session leaves: a
// session is a conversation with one card.
const (
	TokenEvery    = time.Minute
	ActivityEvery = 6 * time.Second
	PerUser       = 3
	PerSession    = 5
	Types         = 5
)

// AskedSize is what SIZE_TOKENS in the environment asks for, usual otherwise.
func AskedSize(t *testing.T, usual Size) Size {
	t.Helper()
	text := os.Getenv("SIZE_TOKENS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIZE_TOKENS=%s", text)
	}
	sizeLimit, sizeRounds, sizeWarmUp = soakLimit, soakRounds, soakWarmUp
	return Size{Tokens: n, Activities: 10 * n}
}

const (
	soakLimit  = 1.5
	soakRounds = 101
	soakWarmUp = 200
)

// SizeCUID is the card of a token.
func SizeCUID(n int) keys.CUID {
	var id keys.CUID
	binary.BigEndian.PutUint64(id[2:], uint64(n+1))
	return id
}

// SizeUser is the person of a token.
func SizeUser(n int) string { return fmt.Sprintf("user%d", n/PerUser) }

// SizeToken is the n-th token.
func SizeToken(n int) token.Record {
	at := SizeEpoch.Add(time.Duration(n) * TokenEvery)
	return token.Record{
		CUID: SizeCUID(n), UserID: SizeUser(n), Type: fmt.Sprintf("type%d", n%Types),
		Status: token.States()[n%len(token.States())], KeyInfo: "0201", AppletID: "1.4.58768072",
		Created: at, Modified: at, ModifiedBy: "loader", ModifiedWhy: "load", Rev: 1,
	}
}

// SizeActivity is the n-th activity of a home of so many tokens.
func SizeActivity(n, tokens int) token.Activity {
	card := n / PerSession % tokens
	return token.Activity{
		ID: int64(n + 1), CUID: SizeCUID(card), UserID: SizeUser(card), Actor: "loader",
		Op:     token.Ops()[n%len(token.Ops())],
		Result: []token.Result{token.Success, token.Failure}[n%2], Message: "loaded",
		Session: fmt.Sprintf("s%d", n/PerSession), At: SizeEpoch.Add(time.Duration(n) * ActivityEvery),
	}
}

// SizeCert is the certificate of the n-th token.
func SizeCert(n int) token.Certificate {
	at := SizeEpoch.Add(time.Duration(n) * TokenEvery)
	return token.Certificate{
		CertID: token.CertID{Issuer: "CN=CA", Serial: fmt.Sprintf("%x", n+1)}, CUID: SizeCUID(n),
		Origin: SizeCUID(n), UserID: SizeUser(n), Status: token.CertActive, Presence: token.Held,
		NotBefore: at, NotAfter: at.AddDate(3, 0, 0), Created: at, Modified: at,
	}
}

// sizeLimit is how many times as long a question may take in the bigger home; 0: however long. Only a
// long run on a machine that does nothing else can tell.
var sizeLimit float64

// sizeRounds is how often each question is asked of each home.
var (
	sizeRounds = 5
	sizeWarmUp = 2 // rounds before that, as a server that has run for a while
)

// sized is a home with its size.
type sized struct {
	Home
	size Size
}

// question is one that operations or people ask, about the n-th token or activity.
type question struct {
	name string
	ask  func(ctx context.Context, h sized, n int) (items int, err error)
}

// Sizes asks the same of two homes in turns, and fails when the bigger one takes too many times
// as long (the lower quartiles are compared). Each size has to be there in full.
func Sizes(t *testing.T, small, large Home, smallSize, largeSize Size) {
	t.Helper()
	const seed = 20251124
	dice := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // no secret
	t.Logf("%+v beside %+v, seed %d", smallSize, largeSize, seed)
	homes := []sized{{small, smallSize}, {large, largeSize}}
	for _, h := range homes {
		if _, err := h.Token(t.Context(), SizeCUID(h.size.Tokens-1)); err != nil {
			t.Fatalf("the last token of %d: %v", h.size.Tokens, err)
		}
	}
	for _, q := range questions() {
		var took [2][]time.Duration
		for round := range sizeRounds + sizeWarmUp {
			for i, h := range homes {
				n := dice.IntN(h.size.Tokens)
				start := time.Now()
				items, err := q.ask(t.Context(), h, n)
				spent := time.Since(start)
				if err != nil || items == 0 {
					t.Fatalf("%s of %d tokens: %d items, %v", q.name, h.size.Tokens, items, err)
				}
				if round >= sizeWarmUp {
					took[i] = append(took[i], spent)
				}
			}
		}
		a, b := quick(took[0]), quick(took[1])
		ratio := float64(b) / float64(a)
		t.Logf("%-28s %9s %9s  x%.2f", q.name, a.Round(time.Microsecond), b.Round(time.Microsecond), ratio)
		if sizeLimit > 0 && ratio > sizeLimit {
			t.Errorf("%s takes %.2f times as long, at most %.1f are allowed", q.name, ratio, sizeLimit)
		}
	}
}

// quick is the lower quartile: what else runs on a machine only makes things slower.
func quick(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/4]
}

func questions() []question {
	out := []question{
		{"read a token", func(ctx context.Context, h sized, n int) (int, error) {
			_, err := h.Token(ctx, SizeCUID(n))
			return 1, err
		}},
		{"open intents of a card", func(ctx context.Context, h sized, n int) (int, error) {
			_, err := h.OpenIntents(ctx, SizeCUID(n))
			return 1, err
		}},
		{"open intents", func(ctx context.Context, h sized, _ int) (int, error) {
			_, err := h.Intents(ctx, store.IntentQuery{})
			return 1, err
		}},
	}
	for name, q := range map[string]func(n int) store.TokenQuery{
		"tokens":           func(int) store.TokenQuery { return store.TokenQuery{} },
		"tokens of a user": func(n int) store.TokenQuery { return store.TokenQuery{UserID: SizeUser(n)} },
		"tokens of a type": func(int) store.TokenQuery { return store.TokenQuery{Type: "type2"} },
		"tokens in a state": func(int) store.TokenQuery {
			return store.TokenQuery{Status: []token.State{token.Active}}
		},
	} {
		out = append(out, question{name, func(ctx context.Context, h sized, n int) (int, error) {
			p, err := h.Tokens(ctx, q(n))
			return len(p.Tokens), err
		}})
	}
	for name, q := range map[string]func(n int) store.ActivityQuery{
		"activities":           func(int) store.ActivityQuery { return store.ActivityQuery{} },
		"activities of a card": func(n int) store.ActivityQuery { return store.ActivityQuery{CUID: SizeCUID(n)} },
		"activities of a user": func(n int) store.ActivityQuery {
			return store.ActivityQuery{UserID: SizeUser(n)}
		},
		"activities of a session": func(n int) store.ActivityQuery {
			return store.ActivityQuery{Session: fmt.Sprintf("s%d", n/PerSession)}
		},
		"activities of an operation": func(int) store.ActivityQuery {
			return store.ActivityQuery{Op: token.OpFormat}
		},
		"activities that failed": func(int) store.ActivityQuery {
			return store.ActivityQuery{Result: token.Failure}
		},
	} {
		out = append(out, question{name, func(ctx context.Context, h sized, n int) (int, error) {
			p, err := h.Activities(ctx, q(n))
			return len(p.Activities), err
		}})
	}
	for name, q := range map[string]func(n int) store.CertQuery{
		"certificates":           func(int) store.CertQuery { return store.CertQuery{} },
		"certificates of a card": func(n int) store.CertQuery { return store.CertQuery{CUID: SizeCUID(n)} },
		"certificates of a user": func(n int) store.CertQuery { return store.CertQuery{UserID: SizeUser(n)} },
		"certificate by serial": func(n int) store.CertQuery {
			return store.CertQuery{Issuer: "CN=CA", Serial: fmt.Sprintf("%x", n+1)}
		},
	} {
		out = append(out, question{name, func(ctx context.Context, h sized, n int) (int, error) {
			p, err := h.Certificates(ctx, q(n))
			return len(p.Certificates), err
		}})
	}
	return out
}
