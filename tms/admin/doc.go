// Package admin is how people administer a subsystem while it runs: JSON over HTTPS, each known by a
// client certificate, or over a Unix socket, each known by the account of the peer.
//
// It owns who a caller is and which roles that gives, what stands before every request (role,
// bounds, time limit, trail), the form of errors, and the client. It must not know what is
// administered: the packages below it bring routes and the contracts that they need of a subsystem.
package admin

import "time"

// Bounds of what is read and of how long a request may take.
const (
	maxRequestBytes = 64 << 10
	maxAnswerBytes  = 16 << 20
	readTimeout     = 9 * time.Second // homes of records give up after ten
	changeTimeout   = time.Minute
	jsonType        = "application/json"
)
