package token

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a file of labels, in bytes.
const (
	MaxLabelFile = 64 << 10
	maxLabel     = 200
	maxLabelLine = 2048
)

// Labels are what people are shown instead of the names of states and of moves between
// them. The zero value shows the shipped ones.
type Labels struct {
	own map[string]string // by STATE or STATE.NEXT, as the file has them
}

// moveLabels are shipped for moves; by target state where the origin does not matter.
var moveLabels = map[Transition]string{
	{Suspended, PermLost}:     "This suspended (temporarily lost) token has become permanently lost.",
	{Suspended, Terminated}:   "This suspended (temporarily lost) token has been terminated.",
	{Suspended, Formatted}:    "This suspended (temporarily lost) token has been found.",
	{Suspended, Active}:       "This suspended (temporarily lost) token has been found.",
	{Terminated, Unformatted}: "Reuse this token.",
}

var targetLabels = map[State]string{
	Damaged:    "This token has been physically damaged.",
	PermLost:   "This token has been permanently lost.",
	Suspended:  "This token has been suspended (temporarily lost).",
	Terminated: "This token has been terminated.",
}

// State gives the label of a state.
func (l Labels) State(s State) string {
	if own := l.own[s.String()]; own != "" {
		return own
	}
	return s.Label()
}

// Move gives the label of a move.
func (l Labels) Move(t Transition) string {
	if own := l.own[t.From.String()+"."+t.To.String()]; own != "" {
		return own
	}
	if text := moveLabels[t]; text != "" {
		return text
	}
	if text := targetLabels[t.To]; text != "" {
		return text
	}
	return t.From.Label() + " to " + t.To.Label()
}

// File gives the labels in the form that ParseLabels reads: every state, and every move
// that people may be offered.
func (l Labels) File() string {
	var b strings.Builder
	b.WriteString("# Token states\n")
	for _, s := range States() {
		fmt.Fprintf(&b, "%s = %s\n", s, l.State(s))
	}
	b.WriteString("\n# Token state transitions\n")
	for _, step := range PermittedManualTransitions().List() {
		fmt.Fprintf(&b, "%s.%s = %s\n", step.From, step.To, l.Move(step))
	}
	return b.String()
}

// ParseLabels reads a file of labels: lines of NAME = label or NAME.NAME = label, with
// comments, continued lines and escapes as Java's property files have them. Text that is
// no UTF-8 is taken for ISO 8859-1, which such files used to be in. A file that is too
// long, holds control characters or a label that is, or names something that is no state,
// is refused whole: whoever wrote it meant something that nobody would see.
func ParseLabels(file []byte) (Labels, error) {
	if len(file) > MaxLabelFile {
		return Labels{}, fmt.Errorf("labels: %d bytes, at most %d allowed", len(file), MaxLabelFile)
	}
	text := string(file)
	if !utf8.ValidString(text) {
		text = fromLatin1(file)
	}
	l := Labels{own: make(map[string]string)}
	for n, line := range logicalLines(text) {
		if line == "" {
			continue
		}
		name, label, err := parseLabel(line)
		if err != nil {
			return Labels{}, fmt.Errorf("labels: entry %d: %w", n+1, err)
		}
		l.own[name] = label
	}
	return l, nil
}

func fromLatin1(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

// logicalLines joins continued lines and empties comments, in their order.
func logicalLines(text string) []string {
	var out []string
	var whole strings.Builder
	going := false
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t\f")
		if !going && (line == "" || line[0] == '#' || line[0] == '!') {
			out = append(out, "")
			continue
		}
		slashes := len(line) - len(strings.TrimRight(line, `\`))
		if going = slashes%2 == 1; going {
			whole.WriteString(line[:len(line)-1])
			continue
		}
		whole.WriteString(line)
		out = append(out, whole.String())
		whole.Reset()
	}
	if whole.Len() > 0 {
		out = append(out, whole.String())
	}
	return out
}

// parseLabel reads one entry.
func parseLabel(line string) (name, label string, err error) {
	if len(line) > maxLabelLine {
		return "", "", fmt.Errorf("%d bytes, at most %d allowed", len(line), maxLabelLine)
	}
	at := strings.IndexAny(line, "=: \t\f")
	if at < 0 {
		return "", "", fmt.Errorf("%s is not of the form NAME = label", quote(line))
	}
	name, rest := line[:at], strings.TrimLeft(line[at:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	if name, err = labelName(name); err != nil {
		return "", "", err
	}
	if label, err = unescape(strings.TrimRight(rest, " \t")); err != nil {
		return "", "", fmt.Errorf("label of %s: %w", name, err)
	}
	if label == "" {
		return "", "", fmt.Errorf("label of %s is empty", name)
	}
	return name, label, checkText("label of "+name, label, maxLabel)
}

// labelName checks what an entry is for. Former names stand for what they are now, and the
// retired state's own name for nothing: no token has it any more.
func labelName(name string) (string, error) {
	first, second, move := strings.Cut(name, ".")
	from, err := ParseState(first)
	if err != nil || isCode(first) {
		return "", fmt.Errorf("%s is the name of no state", quote(first))
	}
	if !move {
		if strings.EqualFold(first, "TEMP_LOST_PERM_LOST") {
			return first, nil
		}
		return from.String(), nil
	}
	to, err := ParseState(second)
	if err != nil || isCode(second) {
		return "", fmt.Errorf("%s is the name of no state", quote(second))
	}
	return from.String() + "." + to.String(), nil
}

// unescape reads the escapes of property files.
func unescape(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		if text[i] != 'u' {
			b.WriteByte(text[i])
			continue
		}
		if i+4 >= len(text) {
			return "", errors.New("escape \\u without four hexadecimal digits")
		}
		var r rune
		for _, c := range text[i+1 : i+5] {
			d := strings.IndexRune("0123456789abcdef", unicode.ToLower(c))
			if d < 0 {
				return "", errors.New("escape \\u without four hexadecimal digits")
			}
			r = r<<4 | rune(d)
		}
		b.WriteRune(r)
		i += 4
	}
	return b.String(), nil
}
