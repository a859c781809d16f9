package main

import (
	"fmt"
	"io"
	"time"
)

// aMoment is how long a command may take without a word.
const aMoment = time.Second

// slowly does what may take its time, and says so when it does. Nothing else may write to w meanwhile.
func slowly(w io.Writer, doing string, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	timer := time.NewTimer(aMoment)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		_, _ = fmt.Fprintln(w, doing+" ...") // a word less is no failure
		return <-done
	}
}
