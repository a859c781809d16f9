package token_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// TestStateNumbers pins what configurations and databases hold.
func TestStateNumbers(t *testing.T) {
	want := map[token.State]struct {
		code        int
		name, label string
		reason      token.Reason
	}{
		token.Formatted:   {0, "FORMATTED", "Formatted (uninitialized)", ""},
		token.Damaged:     {1, "DAMAGED", "Physically damaged", "destroyed"},
		token.PermLost:    {2, "PERM_LOST", "Permanently lost", "keyCompromise"},
		token.Suspended:   {3, "SUSPENDED", "Suspended (temporarily lost)", "onHold"},
		token.Active:      {4, "ACTIVE", "Active", ""},
		token.Terminated:  {6, "TERMINATED", "Terminated", "terminated"},
		token.Unformatted: {7, "UNFORMATTED", "Unformatted", ""},
	}
	require.Len(t, token.States(), len(want))
	for _, s := range token.States() {
		require.True(t, s.Valid())
		require.Equal(t, want[s].code, s.Code())
		require.Equal(t, want[s].name, s.String())
		require.Equal(t, want[s].label, s.Label())
		require.Equal(t, want[s].reason, token.ReasonFor(s))
		for _, text := range []string{
			want[s].name, strings.ToLower(want[s].name), fmt.Sprint(want[s].code), " " + want[s].name,
		} {
			got, err := token.ParseState(text)
			require.NoError(t, err, text)
			require.Equal(t, s, got, text)
		}
		reason, err := token.ParseReason(strings.ToUpper(string(want[s].reason)))
		require.NoError(t, err)
		require.Equal(t, want[s].reason, reason)
	}
	_, err := token.ParseReason("bored")
	require.ErrorContains(t, err, `"bored"`)
}

func TestRetiredStates(t *testing.T) {
	for text, want := range map[string]token.State{
		"5": token.PermLost, "TEMP_LOST_PERM_LOST": token.PermLost,
		"uninitialized": token.Formatted, "TEMP_LOST": token.Suspended,
	} {
		got, err := token.ParseState(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	hole := token.State(5)
	require.False(t, hole.Valid(), "5 is read, never held")
	require.Equal(t, "STATE(5)", hole.String())
	_, err := json.Marshal(hole)
	require.Error(t, err, "5 is never written")
	for _, bad := range []string{"", "8", "-1", "+4", "04x", "4294967296", "LOST", "5.0", "½"} {
		_, err := token.ParseState(bad)
		require.Error(t, err, bad)
	}
	for _, code := range []int{-1, 8, 255, 256 + 4, 1 << 40} {
		_, err := token.StateFromCode(code)
		require.ErrorContains(t, err, fmt.Sprint(code))
	}
}

func TestStateInJSON(t *testing.T) {
	b, err := json.Marshal(map[string]token.State{"s": token.PermLost})
	require.NoError(t, err)
	require.JSONEq(t, `{"s":"PERM_LOST"}`, string(b))
	var got map[string]token.State
	require.NoError(t, json.Unmarshal([]byte(`{"s":"TEMP_LOST"}`), &got))
	require.Equal(t, token.Suspended, got["s"])
	require.Error(t, json.Unmarshal([]byte(`{"s":"GONE"}`), &got))
}

func TestOps(t *testing.T) {
	var words []string
	for _, op := range token.Ops() {
		words = append(words, string(op))
		got, err := token.ParseOp(strings.ToUpper(string(op)))
		require.NoError(t, err)
		require.Equal(t, op, got)
		require.True(t, op.Valid())
	}
	require.Equal(t, "add format enrollment recovery renewal pin_reset token_status_change "+
		"token_modify delete cert_revocation cert_unrevocation key_changeover",
		strings.Join(words, " "))
	old, err := token.ParseOp("cert_restoration")
	require.NoError(t, err)
	require.Equal(t, token.OpCertUnrevocation, old)
	require.False(t, token.Op("cert_restoration").Valid(), "read, never written")
	_, err = token.ParseOp("dance")
	require.ErrorContains(t, err, `"dance"`)
	r, err := token.ParseResult("SUCCESS")
	require.NoError(t, err)
	require.Equal(t, token.Success, r)
	_, err = token.ParseResult("maybe")
	require.Error(t, err)
}

func TestRecordMoves(t *testing.T) {
	r := token.NewRecord(keys.CUID{1}, token.DefaultPolicy())
	require.Equal(t, token.Unformatted, r.Status)
	require.NoError(t, r.Validate())
	active := r.InState(token.Formatted).InState(token.Active)
	held := active.InState(token.Suspended)
	require.Equal(t, token.ReasonOnHold, held.Reason)
	require.Equal(t, token.Active, held.Before)
	require.Equal(t, token.Active, held.InState(token.Suspended).Before, "suspended twice")
	lost := held.InState(token.PermLost)
	require.Equal(t, token.ReasonKeyCompromise, lost.Reason)
	require.Equal(t, token.Formatted, lost.Before, "means nothing any more")
	require.Equal(t, token.ReasonNone, held.InState(token.Active).Reason)
}

func TestRecordValidate(t *testing.T) {
	good := token.NewRecord(keys.CUID{1}, token.Policy{})
	for name, edit := range map[string]func(*token.Record){
		"no CUID":         func(r *token.Record) { r.CUID = keys.CUID{} },
		"retired state":   func(r *token.Record) { r.Status = 5 },
		"negative state":  func(r *token.Record) { r.Status = -1 },
		"former state":    func(r *token.Record) { r.Before = 99 },
		"reason":          func(r *token.Record) { r.Reason = "bored" },
		"long user":       func(r *token.Record) { r.UserID = strings.Repeat("u", token.MaxName+1) },
		"broken text":     func(r *token.Record) { r.UserID = "a\xff" },
		"control":         func(r *token.Record) { r.Type = "a\nb" },
		"long applet id":  func(r *token.Record) { r.AppletID = strings.Repeat("1", token.MaxInfo+1) },
		"long key info":   func(r *token.Record) { r.KeyInfo = strings.Repeat("1", token.MaxInfo+1) },
		"control in info": func(r *token.Record) { r.KeyInfo = "01\x00" },
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			edit(&r)
			require.Error(t, r.Validate())
		})
	}
}

func TestActivityAndIntentValidate(t *testing.T) {
	a := token.Activity{CUID: keys.CUID{1}, Op: token.OpFormat, Result: token.Success}
	require.NoError(t, a.Validate())
	a.Message = strings.Repeat("m", token.MaxMessage+1)
	require.Error(t, a.Validate())
	i := token.Intent{ID: "1", CUID: keys.CUID{1}, Op: token.OpFormat, Kind: token.IntentPutKey}
	require.NoError(t, i.Validate())
	require.True(t, i.Open())
	require.Equal(t, "put_key from none to none", i.String())
	for name, edit := range map[string]func(*token.Intent){
		"no id":   func(i *token.Intent) { i.ID = "" },
		"no CUID": func(i *token.Intent) { i.CUID = keys.CUID{} },
		"kind":    func(i *token.Intent) { i.Kind = "explode" },
		"op":      func(i *token.Intent) { i.Op = "" },
		"ended":   func(i *token.Intent) { i.Outcome = token.OutcomeDone },
		"to":      func(i *token.Intent) { i.To = strings.Repeat("F", 999) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := i
			edit(&bad)
			require.Error(t, bad.Validate())
		})
	}
	require.False(t, token.OutcomeOpen.Closes())
	require.False(t, token.Outcome("perhaps").Closes())
}

func TestCleanMessage(t *testing.T) {
	require.Equal(t, "a b c", token.CleanMessage("a\nb\x1bc"))
	require.Equal(t, "a\ufffdb", token.CleanMessage("a\xffb"))
	long := token.CleanMessage(strings.Repeat("é", token.MaxMessage))
	require.LessOrEqual(t, len(long), token.MaxMessage)
	require.True(t, utf8.ValidString(long))
	a := token.Activity{CUID: keys.CUID{1}, Op: token.OpFormat, Result: token.Failure, Message: long}
	require.NoError(t, a.Validate())
}

// TestMatchKeyInfo is the check of a card's key version: the recorded or the
// intended one.
func TestMatchKeyInfo(t *testing.T) {
	put := func(from, to string) token.Intent {
		return token.Intent{Kind: token.IntentPutKey, From: from, To: to}
	}
	done := put("FF01", "0201")
	done.Outcome = token.OutcomeDone
	load := token.Intent{Kind: token.IntentLoadApplet, From: "0301", To: "0401"}
	for name, tc := range map[string]struct {
		recorded string
		open     []token.Intent
		card     string
		want     token.KeyInfoMatch
		index    int
		ok       bool // with unknown tokens refused
	}{
		"recorded":              {"0101", nil, "0101", token.KeyInfoRecorded, -1, true},
		"case does not matter":  {"ff01", nil, "FF01", token.KeyInfoRecorded, -1, true},
		"with i parameter":      {"010370", nil, "010370", token.KeyInfoRecorded, -1, true},
		"other i parameter":     {"010370", nil, "010360", token.KeyInfoDiffers, -1, false},
		"differs":               {"0101", nil, "0201", token.KeyInfoDiffers, -1, false},
		"nothing recorded":      {"", nil, "0101", token.KeyInfoUnknown, -1, false},
		"nothing shown":         {"0101", nil, "", token.KeyInfoDiffers, -1, false},
		"nothing on both sides": {"", nil, "", token.KeyInfoUnknown, -1, false},
		"intended": {"FF01", []token.Intent{put("FF01", "0201")}, "0201",
			token.KeyInfoIntended, 0, true},
		"not done": {"FF01", []token.Intent{put("FF01", "0201")}, "FF01",
			token.KeyInfoFormer, 0, true},
		"neither": {"FF01", []token.Intent{put("FF01", "0201")}, "0301",
			token.KeyInfoDiffers, -1, false},
		"new card, intended": {"", []token.Intent{put("FF01", "0201")}, "0201",
			token.KeyInfoIntended, 0, true},
		"the newest counts": {"FF01", []token.Intent{put("FF01", "0201"), put("0201", "0301")}, "0201",
			token.KeyInfoFormer, 1, true},
		"an older one": {"FF01", []token.Intent{put("FF01", "0201"), put("0301", "0401")}, "0201",
			token.KeyInfoIntended, 0, true},
		"ended intents do not count": {"FF01", []token.Intent{done}, "0201",
			token.KeyInfoDiffers, -1, false},
		"applet intents do not count": {"FF01", []token.Intent{load}, "0401",
			token.KeyInfoDiffers, -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := token.Record{KeyInfo: tc.recorded}
			match, index := token.MatchKeyInfo(r, tc.open, tc.card)
			require.Equal(t, tc.want, match)
			require.Equal(t, tc.index, index)
			err := token.AcceptKeyInfo(r, tc.open, tc.card, false)
			require.Equal(t, tc.ok, err == nil, "%v", err)
			lenient := token.AcceptKeyInfo(r, tc.open, tc.card, true)
			require.Equal(t, tc.ok || tc.want == token.KeyInfoUnknown, lenient == nil)
		})
	}
	err := token.AcceptKeyInfo(token.Record{KeyInfo: "FF01"},
		[]token.Intent{put("FF01", "0201")}, "0301", true)
	for _, part := range []string{`"0301"`, `"FF01" is recorded`, `"0201" intended`} {
		require.ErrorContains(t, err, part)
	}
}
