package approval_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/kra/approval"
)

var (
	rule = approval.Rule{Agents: []string{"ann", "bob", "cy"}, Need: 2, Lifetime: time.Hour}
	t0   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func made(t *testing.T, r approval.Rule) approval.Request {
	t.Helper()
	q, err := r.New(approval.Request{KeyID: 7, Purpose: approval.Export, Reason: "court order 12",
		Requester: "ann"}, t0)
	require.NoError(t, err)
	assert.Equal(t, approval.Open, q.At(r, t0))
	return q
}

func vote(t *testing.T, q approval.Request, r approval.Rule, agents ...string) approval.Request {
	t.Helper()
	for _, a := range agents {
		var err error
		q, err = q.Vote(r, a, true, t0)
		require.NoError(t, err)
	}
	return q
}

func TestTwoOfThree(t *testing.T) {
	q := made(t, rule)
	_, err := q.Fulfil(rule, "ann", t0)
	require.ErrorIs(t, err, approval.ErrNotApproved)
	q = vote(t, q, rule, "ann")
	_, err = q.Fulfil(rule, "ann", t0)
	require.ErrorIs(t, err, approval.ErrNotApproved)
	_, err = q.Vote(rule, "ann", true, t0)
	require.ErrorIs(t, err, approval.ErrTwice)
	_, err = q.Vote(rule, "eve", true, t0)
	require.ErrorIs(t, err, approval.ErrNotAgent)
	q = vote(t, q, rule, "cy")
	assert.Equal(t, approval.Approved, q.At(rule, t0))
	_, err = q.Fulfil(rule, "cy", t0)
	require.ErrorIs(t, err, approval.ErrNotRequester)
	done, err := q.Fulfil(rule, "ann", t0.Add(59*time.Minute))
	require.NoError(t, err)
	assert.Equal(t, approval.Fulfilled, done.At(rule, t0.Add(100*time.Hour)))
	_, err = done.Fulfil(rule, "ann", t0)
	require.ErrorIs(t, err, approval.ErrEnded, "once")
	_, err = done.Vote(rule, "bob", true, t0)
	require.ErrorIs(t, err, approval.ErrEnded)
}

// One approval is enough for some, but never the requester's own.
func TestRequesterAlone(t *testing.T) {
	one := rule
	one.Need = 1
	q := vote(t, made(t, one), one, "ann")
	_, err := q.Fulfil(one, "ann", t0)
	require.ErrorIs(t, err, approval.ErrNotApproved)
	q = vote(t, made(t, one), one, "bob")
	_, err = q.Fulfil(one, "ann", t0)
	require.NoError(t, err)
}

func TestExpiry(t *testing.T) {
	q := vote(t, made(t, rule), rule, "bob", "cy")
	late := q.Expires
	assert.Equal(t, approval.Expired, q.At(rule, late))
	assert.Equal(t, approval.Approved, q.At(rule, late.Add(-1)))
	_, err := q.Fulfil(rule, "ann", late)
	require.ErrorIs(t, err, approval.ErrExpired)
	_, err = q.Vote(rule, "ann", true, late)
	require.ErrorIs(t, err, approval.ErrExpired)
	_, err = q.Cancel(rule, "ann", late)
	require.ErrorIs(t, err, approval.ErrExpired)
}

func TestRejectAndCancel(t *testing.T) {
	q := vote(t, made(t, rule), rule, "ann", "bob")
	no, err := q.Vote(rule, "cy", false, t0)
	require.NoError(t, err)
	assert.Equal(t, approval.Rejected, no.At(rule, t0))
	_, err = no.Fulfil(rule, "ann", t0)
	require.ErrorIs(t, err, approval.ErrEnded)
	_, err = q.Cancel(rule, "bob", t0)
	require.ErrorIs(t, err, approval.ErrNotRequester)
	off, err := q.Cancel(rule, "ann", t0)
	require.NoError(t, err)
	assert.Equal(t, approval.Cancelled, off.At(rule, t0))
	assert.Equal(t, approval.Approved, q.At(rule, t0), "the original is as it was")
}

// Who is dismissed as an agent after approving does not count any more.
func TestDismissedAgent(t *testing.T) {
	q := vote(t, made(t, rule), rule, "bob", "cy")
	less := rule
	less.Agents = []string{"ann", "cy", "dan"}
	_, err := q.Fulfil(less, "ann", t0)
	require.ErrorIs(t, err, approval.ErrNotApproved)
	less.Agents = []string{"bob", "cy"}
	_, err = q.Fulfil(less, "ann", t0)
	require.ErrorIs(t, err, approval.ErrNotAgent)
}

func TestRuleCheck(t *testing.T) {
	require.NoError(t, rule.Check())
	for name, r := range map[string]approval.Rule{
		"none":       {},
		"one alone":  {Agents: []string{"a"}, Need: 1, Lifetime: 1},
		"too many":   {Agents: []string{"a", "b"}, Need: 3, Lifetime: 1},
		"zero":       {Agents: []string{"a", "b"}, Lifetime: 1},
		"for ever":   {Agents: []string{"a", "b"}, Need: 2},
		"twice":      {Agents: []string{"a", "a"}, Need: 2, Lifetime: 1},
		"empty name": {Agents: []string{"a", ""}, Need: 2, Lifetime: 1},
		"crowd":      {Agents: make([]string, approval.MaxAgents+1), Need: 2, Lifetime: 1},
	} {
		assert.ErrorIs(t, r.Check(), approval.ErrRule, name)
	}
}

func TestNewBounds(t *testing.T) {
	good := approval.Request{Purpose: approval.Share, User: "bea", Reason: "group", Requester: "bob"}
	_, err := rule.New(good, t0)
	require.NoError(t, err)
	for name, change := range map[string]func(*approval.Request){
		"no reason":   func(q *approval.Request) { q.Reason = "" },
		"long reason": func(q *approval.Request) { q.Reason = strings.Repeat("r", 513) },
		"control":     func(q *approval.Request) { q.Reason = "a\nb" },
		"no user":     func(q *approval.Request) { q.User = "" },
		"purpose":     func(q *approval.Request) { q.Purpose = "sell" },
		"user of one": func(q *approval.Request) { q.Purpose = approval.Export },
	} {
		q := good
		change(&q)
		_, err := rule.New(q, t0)
		assert.ErrorIs(t, err, approval.ErrForm, name)
	}
	good.Requester = "eve"
	_, err = rule.New(good, t0)
	require.ErrorIs(t, err, approval.ErrNotAgent)
}

// Whatever agents do in whatever order, a request is fulfilled only when the rule, counted here in
// another way, allows it.
func TestAnyOrder(t *testing.T) {
	names := []string{"ann", "bob", "cy", "dan", "eve"} // eve is no agent
	fulfilled := 0
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := approval.Rule{Agents: names[:4], Need: 1 + rnd.IntN(4), Lifetime: time.Hour}
		q := made(t, r)
		yes, ended := map[string]bool{}, false
		for range 12 {
			who, at := names[rnd.IntN(5)], t0.Add(time.Duration(rnd.IntN(65))*time.Minute)
			usable := !ended && who != "eve" && at.Before(q.Expires)
			switch rnd.IntN(8) {
			case 0:
				said := slices.ContainsFunc(q.Votes, func(v approval.Vote) bool { return v.Agent == who })
				next, err := q.Vote(r, who, false, at)
				require.Equal(t, usable && !said, err == nil)
				q, ended = next, ended || err == nil
			case 1, 2:
				others := len(yes) - map[bool]int{true: 1}[yes["ann"]]
				next, err := q.Fulfil(r, who, at)
				require.Equal(t, usable && who == "ann" && len(yes) >= r.Need && others > 0, err == nil)
				if err == nil {
					fulfilled++
				}
				q, ended = next, ended || err == nil
			default:
				next, err := q.Vote(r, who, true, at)
				require.Equal(t, usable && !yes[who], err == nil)
				if q = next; err == nil {
					yes[who] = true
				}
			}
		}
	}
	assert.Greater(t, fulfilled, 100)
}
