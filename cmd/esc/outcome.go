package main

import (
	"errors"
	"fmt"
	"io"

	"tokenwright/tms/esc"
	"tokenwright/tms/wire"
)

// outcome is what became of an operation.
type outcome struct {
	Operation string  `json:"operation"`
	Done      bool    `json:"done"`
	Code      int     `json:"code"`
	Name      string  `json:"name"`
	Message   string  `json:"message"`
	Error     string  `json:"error,omitempty"`
	Server    string  `json:"server,omitempty"`
	Session   string  `json:"session,omitempty"`
	CUID      string  `json:"cuid,omitempty"`
	Applet    string  `json:"appletVersion,omitempty"`
	State     string  `json:"state,omitempty"`
	Commands  int     `json:"commands"`
	Seconds   float64 `json:"seconds"`
}

func (o *outcome) judge(err error) {
	status := esc.StatusOf(err)
	if errors.Is(err, errNotEnrolled) {
		status = wire.StatusDisabledToken // the server's word for a card in the wrong state
	}
	o.Done, o.Code, o.Name, o.Message = err == nil, int(status), status.Name(), status.Sentence()
	if err != nil {
		o.Error = err.Error()
	}
}

// print tells of a good end; text has a place for the CUID.
func (o *outcome) print(w io.Writer, text string) error {
	applet := ""
	if o.Applet != "" {
		applet = ", applet " + o.Applet
	}
	session := ""
	if o.Session != "" {
		session = ", session " + o.Session
	}
	_, err := fmt.Fprintf(w, text+" (%d commands, %.2f s%s%s).\n", o.CUID, o.Commands, o.Seconds,
		applet, session)
	return err
}
