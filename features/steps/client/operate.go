package client

import (
	"context"

	"tokenwright/tms/wire"
)

// Operate has a person of the directory, or nobody when user is empty, run an operation on the card and
// type a PIN when asked for one. How it went is for the steps of this package to say.
func Operate(ctx context.Context, what wire.Operation, user, tokenType, pin string) error {
	var o operation
	if user != "" {
		var err error
		if o, err = byUser(user); err != nil {
			return err
		}
	}
	o.what, o.tokenType, o.pin = what, tokenType, pin
	return run(ctx, o)
}

// OperateAs is Operate for somebody who need not be in the directory.
func OperateAs(ctx context.Context, what wire.Operation, user, password, tokenType, pin string) error {
	return run(ctx, operation{user: user, password: password, tokenType: tokenType, what: what, pin: pin})
}

// Succeeded says why the last operation did not succeed, nil when it did.
func Succeeded(ctx context.Context) error { return succeeds(ctx) }

// Code is what the server said at the end of the last operation; 0 also when it said nothing.
func Code(ctx context.Context) int { return int(from(ctx).end.Status) }
