package profile

import (
	"fmt"
	"strconv"
	"strings"

	"tokenwright/tms/connector"
)

const variableHead = "request."

// template is text with variables between dollar signs: pieces at even places are text, those at
// odd ones names of variables without their head.
type template []string

func parseTemplate(text string) (template, error) {
	parts := strings.Split(text, "$")
	if len(parts)%2 == 0 || len(parts) > 33 {
		return nil, fmt.Errorf("%.80q has a single $, or more than 16 variables", text)
	}
	for i := 1; i < len(parts); i += 2 {
		name, ok := strings.CutPrefix(parts[i], variableHead)
		if name = strings.ToLower(name); !ok || !connector.AttributeName(name) {
			return nil, fmt.Errorf("variable $%.80s$ is not $request.NAME$", parts[i])
		}
		parts[i] = name
	}
	return parts, nil
}

// expand gives the text with the variables' values; missing names the first one without value.
func (t template) expand(value func(name string) string) (text, missing string) {
	var b strings.Builder
	for i, part := range t {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		v := value(part)
		if v == "" {
			return "", part
		}
		b.WriteString(v)
	}
	return b.String(), ""
}

// value gives a variable's value, "" when it has none.
func (in Input) value(name string) string {
	switch name {
	case "uid", "screenname":
		return in.UserID
	case "tokencuid":
		return in.CUID
	case "tokentype":
		return in.TokenType
	}
	if n, ok := strings.CutPrefix(name, "req_san_pattern_"); ok {
		if i, err := strconv.Atoi(n); err == nil && i >= 0 && i < len(in.SANPatterns) {
			return in.SANPatterns[i]
		}
		return ""
	}
	return in.Attributes[name]
}
