package main

import (
	"fmt"
	"io"
	"strings"
)

const barWidth = 30

// tasks are the server's words for what it does, for people.
var tasks = map[string]string{
	"PROGRESS_START":                     "starting",
	"PROGRESS_APPLET_BLOCK":              "loading the applet",
	"PROGRESS_PROCESS_PROFILE":           "choosing the profile",
	"PROGRESS_KEY_GENERATION":            "making keys",
	"PROGRESS_ENROLL_CERT":               "getting certificates",
	"PROGRESS_WRITE_OBJECTS":             "writing to the card",
	"PROGRESS_ISSUER_INFO":               "writing the issuer's address",
	"PROGRESS_SET_LIFECYCLE":             "finishing the card",
	"PROGRESS_START_PIN_RESET":           "starting",
	"PROGRESS_PIN_RESET_COMPLETE":        "PIN is reset",
	"PROGRESS_PIN_RESET_RESOLVE_PROFILE": "choosing the profile",
	"PROGRESS_DONE":                      "done",
	"PROGRESS_DONE_ENROLLMENT":           "done",
}

// progress shows how far a server is: a bar on a terminal, elsewhere a line each time.
type progress struct {
	w    io.Writer
	bar  bool
	open bool // the cursor stands behind a bar
	far  int  // the most percent told: a server may begin anew with each of its tasks
	last string
	step string // what the last plain line told
}

// update shows a state. The task is the server's word and is shown as it is if unknown.
func (p *progress) update(percent int, task string) {
	word, ok := tasks[task]
	if !ok {
		word = strings.ReplaceAll(printable(task), "\n", "?")
		if len(word) > 40 {
			word = word[:40]
		}
	}
	p.far = min(max(percent, p.far), 100)
	percent = p.far
	text := fmt.Sprintf("%3d%% %s", percent, word)
	if text == p.last {
		return
	}
	p.last = text
	if !p.bar {
		// A log needs a line for each task and each tenth of the way.
		if step := fmt.Sprint(percent/10, word); step != p.step {
			p.step = step
			_, _ = fmt.Fprintln(p.w, text)
		}
		return
	}
	full := barWidth * percent / 100
	_, _ = fmt.Fprintf(p.w, "\r[%s%s] %s\x1b[K", strings.Repeat("#", full),
		strings.Repeat(".", barWidth-full), text)
	p.open = true
}

// line writes a line of its own below the bar.
func (p *progress) line(text string) {
	p.end()
	_, _ = fmt.Fprintln(p.w, text)
}

// end leaves the bar behind.
func (p *progress) end() {
	if p.open {
		_, _ = fmt.Fprintln(p.w)
	}
	p.open = false
}
