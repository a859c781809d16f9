package suite

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"tokenwright/features"
)

// Config says what to run, on which card, and where the reports go.
type Config struct {
	Card      string // "sim", "vpcd" or "pcsc:READER"; see features/target
	Feature   string // one file's name with or without ".feature"; empty runs all
	Tags      string // a godog tag expression; empty selects every scenario
	Seed      int64  // order of scenarios and every random choice; zero takes one from the clock
	Jobs      int    // scenarios at once; zero takes what the card allows
	ReportDir string // JUnit and Cucumber JSON go here; empty writes none
	Colour    bool
}

// FromEnv reads CARD, FEATURE, TAGS, SEED, JOBS and REPORT_DIR.
func FromEnv() (Config, error) {
	c := Config{
		Card:      os.Getenv("CARD"),
		Feature:   os.Getenv("FEATURE"),
		Tags:      os.Getenv("TAGS"),
		ReportDir: os.Getenv("REPORT_DIR"),
		Colour:    os.Getenv("NO_COLOR") == "" && isTerminal(os.Stdout),
	}
	if c.Card == "" {
		c.Card = "sim"
	}
	var err error
	if s := os.Getenv("SEED"); s != "" {
		if c.Seed, err = strconv.ParseInt(s, 10, 64); err != nil || c.Seed <= 0 {
			return c, fmt.Errorf("SEED=%q: want a whole number above zero", s)
		}
	}
	if s := os.Getenv("JOBS"); s != "" {
		if c.Jobs, err = strconv.Atoi(s); err != nil || c.Jobs < 1 || c.Jobs > 64 {
			return c, fmt.Errorf("JOBS=%q: want a whole number from 1 to 64", s)
		}
	}
	return c, nil
}

// paths lists the feature files to run, with their folder inside features.FS.
func (c Config) paths() ([]string, error) {
	entries, err := features.FS.ReadDir(".")
	if err != nil {
		return nil, err
	}
	want := strings.TrimSuffix(path.Base(c.Feature), ".feature")
	var all, known []string
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".feature")
		known = append(known, name)
		if c.Feature == "" || name == want {
			all = append(all, e.Name())
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no feature %q; there are: %s",
			c.Feature, strings.Join(known, ", "))
	}
	return all, nil
}

func (c Config) seed() int64 {
	if c.Seed != 0 {
		return c.Seed
	}
	return time.Now().UnixNano() & 0x7fffffff
}

func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
