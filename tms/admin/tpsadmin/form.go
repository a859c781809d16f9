package tpsadmin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// MarshalJSON writes milliseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, t.UnixMilli(), 10), nil
}

// UnmarshalJSON reads milliseconds, or text as RFC 3339 has it.
func (t *Time) UnmarshalJSON(b []byte) error {
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		t.Time = time.UnixMilli(n).UTC()
		return nil
	}
	return t.Time.UnmarshalJSON(b)
}

// State is a state with its label.
type State struct {
	Name  string `json:"name"`
	Label string `json:"label"`
}

// Token is a token record. What Dogtag's does not have comes last; its clients pass over it.
type Token struct {
	ID         string  `json:"id,omitempty"`
	TokenID    string  `json:"TokenID,omitempty"`
	UserID     string  `json:"UserID,omitempty"`
	Type       string  `json:"Type,omitempty"`
	Status     *State  `json:"Status,omitempty"`
	NextStates []State `json:"NextStates,omitempty"`
	AppletID   string  `json:"AppletID,omitempty"`
	KeyInfo    string  `json:"KeyInfo,omitempty"`
	Policy     string  `json:"Policy,omitempty"`
	Created    *Time   `json:"CreateTimestamp,omitempty"`
	Modified   *Time   `json:"ModifyTimestamp,omitempty"`
	Reason     string  `json:"Reason,omitempty"`
	Effective  string  `json:"EffectivePolicy,omitempty"`
	ModifiedBy string  `json:"ModifiedBy,omitempty"`
	Why        string  `json:"ModifiedWhy,omitempty"`
}

// Activity is one line of the activity log.
type Activity struct {
	ID        string `json:"id"`
	TokenID   string `json:"TokenID"`
	UserID    string `json:"UserID,omitempty"`
	IP        string `json:"IP,omitempty"`
	Operation string `json:"Operation"`
	Result    string `json:"Result"`
	Message   string `json:"Message,omitempty"`
	Date      Time   `json:"Date"`
	Actor     string `json:"Actor,omitempty"`
	Type      string `json:"Type,omitempty"`
	Session   string `json:"Session,omitempty"`
}

// Certificate is a certificate record.
type Certificate struct {
	ID           string `json:"id"`
	SerialNumber string `json:"serialNumber"`
	Subject      string `json:"subject,omitempty"`
	UserID       string `json:"userID,omitempty"`
	TokenID      string `json:"tokenID"`
	Origin       string `json:"origin,omitempty"`
	Type         string `json:"type,omitempty"`
	KeyType      string `json:"keyType,omitempty"`
	Status       string `json:"status"`
	Created      Time   `json:"createTime"`
	Modified     Time   `json:"modifyTime"`
	Issuer       string `json:"issuer,omitempty"`
	CA           string `json:"ca,omitempty"`
	Presence     string `json:"presence,omitempty"`
	NotBefore    *Time  `json:"notBefore,omitempty"`
	NotAfter     *Time  `json:"notAfter,omitempty"`
}

// Page is a page of a list. Total is how many there are at least: counting all of them would take
// the longer the more there are.
type Page[T any] struct {
	Total   int `json:"total"`
	Entries []T `json:"entries"`
	Links   []T `json:"Link"` // always empty; Dogtag's clients want it there
	// Next is where the next page begins, for the parameter "after". It is written only when that
	// was there, if empty: Dogtag's clients choke on it.
	Next *string `json:"next,omitempty"`
}

// Account is who is logged in.
type Account struct {
	ID    string   `json:"id"`
	Roles []string `json:"roles"`
}

// view shows a record.
func (h *handler) view(r token.Record, l token.Labels) Token {
	id := r.CUID.String()
	t := Token{
		ID: id, TokenID: id, UserID: r.UserID, Type: r.Type,
		Status:   &State{r.Status.String(), l.State(r.Status)},
		AppletID: r.AppletID, KeyInfo: r.KeyInfo, Policy: r.Policy.String(),
		Created: &Time{r.Created}, Modified: &Time{r.Modified},
		Reason: string(r.Reason), ModifiedBy: r.ModifiedBy, Why: r.ModifiedWhy,
		Effective: h.Rules.Effective(r).Over(token.DefaultPolicy()).String(),
	}
	for _, to := range h.Rules.Next(r) {
		step := token.Transition{From: r.Status, To: to}
		t.NextStates = append(t.NextStates, State{to.String(), l.Move(step)})
	}
	return t
}

func viewActivity(a token.Activity) Activity {
	return Activity{
		ID: activityID(a), TokenID: a.CUID.String(), UserID: a.UserID, IP: a.IP,
		Operation: string(a.Op), Result: string(a.Result), Message: a.Message, Date: Time{a.At},
		Actor: a.Actor, Type: a.Type, Session: a.Session,
	}
}

// activityID names an activity by its instant and its number, so that it is found again without a
// search.
func activityID(a token.Activity) string {
	return fmt.Sprintf("%d.%x", a.At.UnixNano(), a.ID)
}

func parseActivityID(text string) (at time.Time, id int64, ok bool) {
	nanos, number, found := strings.Cut(text, ".")
	n, err := strconv.ParseInt(nanos, 10, 64)
	id, err2 := strconv.ParseInt(number, 16, 64)
	return time.Unix(0, n).UTC(), id, found && err == nil && err2 == nil
}

func viewCertificate(c token.Certificate) Certificate {
	return Certificate{
		ID: c.Serial + "." + c.CUID.String(), SerialNumber: "0x" + c.Serial, Subject: c.Subject,
		UserID: c.UserID, TokenID: c.CUID.String(), Origin: c.Origin.String(), Type: c.Type,
		KeyType: c.KeyType, Status: string(c.Status), Created: Time{c.Created},
		Modified: Time{c.Modified}, Issuer: c.Issuer, CA: c.CA, Presence: string(c.Presence),
		NotBefore: &Time{c.NotBefore}, NotAfter: &Time{c.NotAfter},
	}
}

// parseCUID reads a token's id of a path or query.
func parseCUID(text string) (keys.CUID, error) {
	return keys.ParseCUID(strings.TrimSpace(text))
}
