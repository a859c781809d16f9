package administration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
)

func addRESTSteps(sc *godog.ScenarioContext) {
	sc.Step(`^"([^"]*)" sends ([A-Z]+) "([^"]*)"$`, sends)
	sc.Step(`^"([^"]*)" sends ([A-Z]+) "([^"]*)" with$`, sendsWith)
	sc.Step(`^"([^"]*)" asks for that activity alone$`, asksForOne)
	sc.Step(`^the answer is (\d+)$`, answered)
	sc.Step(`^the answer is (\d+) and holds$`, answeredWith)
}

func sends(ctx context.Context, who, method, path string) error {
	return request(ctx, who, method, path, "")
}

func sendsWith(ctx context.Context, who, method, path string, body *godog.DocString) error {
	return request(ctx, who, method, path, body.Content)
}

// request asks as any HTTP client does that has a certificate.
func request(ctx context.Context, who, method, path, body string) error {
	st := from(ctx)
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	t := l.TLS()
	if who != "nobody" {
		pair, err := st.pair(who)
		if err != nil {
			return err
		}
		t.Certificates = append(t.Certificates, pair)
	}
	c := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: t,
		DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(ctx, method, l.AdminURL()+st.named(ctx, path),
		strings.NewReader(st.named(ctx, body)))
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.Do(r)
	if err != nil {
		st.status, st.body = 0, err.Error()
		return nil // a later step judges it
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	st.status, st.body = res.StatusCode, string(text)
	return err
}

func answered(ctx context.Context, want int) error {
	if st := from(ctx); st.status != want {
		return fmt.Errorf("it is %d: %s", st.status, st.body)
	}
	return nil
}

// answeredWith wants members of the answer, each by a path like entries.0.TokenID.
func answeredWith(ctx context.Context, want int, members *godog.Table) error {
	if err := answered(ctx, want); err != nil {
		return err
	}
	st := from(ctx)
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(st.body)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	for _, row := range members.Rows {
		got, err := member(v, row.Cells[0].Value)
		if err != nil {
			return fmt.Errorf("%w: %s", err, st.body)
		}
		if fmt.Sprint(got) != st.named(ctx, row.Cells[1].Value) {
			return fmt.Errorf("%s is %v: %s", row.Cells[0].Value, got, st.body)
		}
	}
	return nil
}

// asksForOne follows the id of the first activity of the last answer.
func asksForOne(ctx context.Context, who string) error {
	var v any
	if err := json.Unmarshal([]byte(from(ctx).body), &v); err != nil {
		return err
	}
	id, err := member(v, "entries.0.id")
	if err != nil {
		return err
	}
	return request(ctx, who, http.MethodGet, fmt.Sprintf("/tps/rest/activities/%v", id), "")
}

func member(v any, path string) (any, error) {
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[name]
			if !ok {
				return nil, fmt.Errorf("there is no %s", path)
			}
			v = next
		case []any:
			var n int
			if _, err := fmt.Sscan(name, &n); err != nil || n >= len(at) {
				return nil, fmt.Errorf("there is no %s", path)
			}
			v = at[n]
		default:
			return nil, fmt.Errorf("there is no %s", path)
		}
	}
	return v, nil
}
