package conf

import (
	"fmt"
	"path"
	"strings"
)

// Unread is a key of the instance's file that nothing asked for.
type Unread struct {
	Key        string
	File       string
	Line       int
	DidYouMean string // a key that exists and is spelled much like it; or empty
}

// String is a line for the log, with file and line.
func (u Unread) String() string {
	s := fmt.Sprintf("%s:%d: nothing reads key %s", u.File, u.Line, u.Key)
	if u.DidYouMean != "" {
		s += ", did you mean " + u.DidYouMean + "?"
	}
	return s
}

// Declare says that keys matching the patterns are asked for later, so that Unread does not
// name them. In a pattern "*" stands for one word between dots, "?" for one character, and
// "**" at its end for everything that follows. Patterns are under the prefix of this part.
func (c *Config) Declare(patterns ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range patterns {
		c.declared = append(c.declared, c.prefix+p)
	}
}

// Unread answers the keys of the whole instance's file, in its order, that nothing asked for
// and nothing declared. Ask once everything has been built from the configuration.
func (c *Config) Unread() []Unread {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Unread
	for _, key := range c.instance.Keys() {
		if c.read[key] || c.isDeclared(key) {
			continue
		}
		_, n, _ := c.instance.Get(key)
		out = append(out, Unread{Key: key, File: c.instance.Name(), Line: n,
			DidYouMean: c.nearest(key)})
	}
	return out
}

func (l *layers) isDeclared(key string) bool {
	for _, p := range l.declared {
		if matchKey(p, key) {
			return true
		}
	}
	return false
}

// matchKey compares word by word; path.Match's "/" is the dot here.
func matchKey(pattern, key string) bool {
	if head, all := strings.CutSuffix(pattern, "**"); all {
		words := strings.Count(head, ".")
		parts := strings.SplitAfterN(key, ".", words+1)
		if len(parts) != words+1 || parts[words] == "" {
			return false
		}
		pattern, key = head, strings.Join(parts[:words], "")
	}
	toPath := strings.NewReplacer(".", "/", "/", ".")
	ok, err := path.Match(toPath.Replace(pattern), toPath.Replace(key))
	return err == nil && ok
}

// nearest answers the known key that is spelled most like key, if one is near enough: the
// same but for case, or no more than an edit or two away.
func (l *layers) nearest(key string) string {
	best, bestDistance := "", 3
	if len(key) < 8 {
		bestDistance = 2
	}
	consider := func(known string) {
		if known == key || len(known) > len(key)+2 || len(key) > len(known)+2 {
			return
		}
		d := distance(strings.ToLower(key), strings.ToLower(known))
		if d < bestDistance || d == bestDistance && best != "" && known < best {
			best, bestDistance = known, d
		}
	}
	for _, known := range l.defaults.Keys() {
		consider(known)
	}
	for known := range l.read {
		consider(known)
	}
	return best
}

// distance is the number of characters to insert, delete, replace or swap with a neighbour to
// turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
