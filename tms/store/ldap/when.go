package ldap

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Exact times are written as 23 digits, year to nanosecond, so that their text sorts as they do.
const exactLayout = "20060102150405.000000000"

const exactDigits = 23

// cuts are the lengths of the beginnings of a time that an entry carries, coarse to fine: century,
// decade, year, month, day, hour, minute, second, tenth of it, millisecond. An index of them finds
// the newest or oldest entries without sorting all.
var cuts = []int{2, 3, 4, 6, 8, 10, 12, 14, 15, 17}

// finer gives the next finer beginnings within one, oldest first.
func finer(beginning string) (next []string) {
	length := len(beginning)
	from, to, width := 0, 9, 1
	switch length {
	case 0:
		to, width = 99, 2
	case 4:
		from, to, width = 1, 12, 2
	case 6:
		from, to, width = 1, 31, 2
	case 8:
		to, width = 23, 2
	case 10:
		to, width = 59, 2
	case 12:
		to, width = 60, 2
	case 15:
		to, width = 99, 2
	}
	for n := from; n <= to; n++ {
		next = append(next, fmt.Sprintf("%s%0*d", beginning, width, n))
	}
	return next
}

var errTime = errors.New("year outside of 0 to 9999")

// exact writes a time, "" for no time.
func exact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strings.Replace(t.UTC().Format(exactLayout), ".", "", 1)
}

// parseExact reads it back.
func parseExact(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if len(text) != exactDigits {
		return time.Time{}, fmt.Errorf("time of %d digits", len(text))
	}
	return time.Parse(exactLayout, text[:14]+"."+text[14:])
}

// whens are the values of tmsWhen for an entry at that time.
func whens(t time.Time) []string {
	text := exact(t)
	if text == "" {
		return nil
	}
	out := make([]string, len(cuts))
	for i, n := range cuts {
		out[i] = text[:n]
	}
	return out
}

// Dogtag writes times to the second.
const dogtagLayout = "20060102150405Z"

func dogtagTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(dogtagLayout)
}

// parseDogtag reads a generalized time as Dogtag or a directory writes it. // RFC 4517 §3.3.13
func parseDogtag(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{dogtagLayout, "20060102150405.999999999Z", "20060102150405-0700",
		"200601021504Z", "20060102150405"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("no generalized time: %.40q", text)
}

// bothTimes prefers the exact time to Dogtag's, unless they are not the same second: then somebody
// else has changed the entry since.
func bothTimes(exactly, dogtag string) (time.Time, error) {
	coarse, err := parseDogtag(dogtag)
	if err != nil || exactly == "" {
		return coarse, err
	}
	fine, err := parseExact(exactly)
	if err != nil || dogtag == "" || fine.Truncate(time.Second).Equal(coarse) {
		return fine, err
	}
	return coarse, nil
}

// inRange says whether a time can be written.
func inRange(t time.Time) bool { y := t.UTC().Year(); return y >= 0 && y <= 9999 }
