package perso

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// Access is how commands for objects reach the applet: a *Channel carries them as
// the registration authority's, a User as those of whoever is logged in.
type Access interface {
	auth() coolkey.Auth
	expect(ctx context.Context, s Step, cmd apdu.Command) ([]byte, error)
	// beside carries commands that need no identity.
	beside() Transmitter
}

// User is access to the selected applet with a nonce from VERIFY PIN; the zero
// nonce is that of nobody. Nonces are secret.
type User struct {
	Card  Transmitter
	Nonce coolkey.Nonce
}

func (u User) auth() coolkey.Auth  { return coolkey.Auth{Nonce: u.Nonce} }
func (u User) beside() Transmitter { return u.Card }

func (u User) expect(ctx context.Context, s Step, cmd apdu.Command) ([]byte, error) {
	return expect(ctx, u.Card, s, cmd)
}

func (c *Channel) auth() coolkey.Auth  { return coolkey.Auth{Class: coolkey.ClassSecure} }
func (c *Channel) beside() Transmitter { return c.t }

// Errors of objects.
var (
	ErrObjectSize = errors.New("object size out of range")
	ErrAnswer     = errors.New("card answered something else than was asked for")
)

const (
	// piece is how many bytes of an object one command carries: what every
	// secure channel has room for.
	piece = 0xD0
	// maxObject is the largest object that an applet's memory can hold.
	maxObject = 0x7FEF
	// maxListed bounds how many objects a card may list.
	maxListed = 2048
)

// ListObjects lists the objects of the selected applet, newest first. It needs no
// identity and works beside an open channel.
func ListObjects(ctx context.Context, t Transmitter) ([]coolkey.ObjectInfo, error) {
	var out []coolkey.ObjectInfo
	for len(out) < maxListed {
		resp, err := exchange(ctx, t, coolkey.ListObjects{Next: len(out) > 0}.Command())
		if err != nil {
			return nil, fail(StepListObjects, err)
		}
		if resp.SW == apdu.SW9C12 {
			return out, nil
		}
		if err := resp.Err(); err != nil {
			return nil, fail(StepListObjects, err)
		}
		o, err := coolkey.ParseObjectInfo(resp.Data)
		if err != nil {
			return nil, fail(StepListObjects, err)
		}
		out = append(out, o)
	}
	return nil, fail(StepListObjects, fmt.Errorf("%w: objects without end", ErrAnswer))
}

// ReadObject reads the first size bytes of an object.
func ReadObject(ctx context.Context, a Access, id coolkey.ObjectID, size int) ([]byte, error) {
	if size < 0 || size > maxObject {
		return nil, fail(StepReadObject, fmt.Errorf("%w: %v of %d bytes", ErrObjectSize, id, size))
	}
	out := make([]byte, 0, size)
	for len(out) < size {
		n := min(piece, size-len(out))
		cmd := coolkey.ReadObject{
			ID: id, Offset: uint32(len(out)), Count: byte(n), Ne: 256, Auth: a.auth(),
		}
		data, err := a.expect(ctx, StepReadObject, cmd.Command())
		if err != nil {
			return nil, err
		}
		if len(data) != n {
			return nil, fail(StepReadObject,
				fmt.Errorf("%w: %d bytes of %v, want %d", ErrAnswer, len(data), id, n))
		}
		out = append(out, data...)
	}
	return out, nil
}

// WriteObject creates an object of the size of data, 1 to 32,751 bytes, and writes
// it. Over a channel it replaces one that exists: should the new one not fit, or
// the card be pulled, the old one is gone.
func WriteObject(
	ctx context.Context, a Access, id coolkey.ObjectID, acl coolkey.ObjectACL, data []byte,
) error {
	if len(data) == 0 || len(data) > maxObject {
		return fail(StepCreateObject, fmt.Errorf("%w: %v of %d bytes", ErrObjectSize, id, len(data)))
	}
	create := coolkey.CreateObject{ID: id, Size: uint32(len(data)), ACL: acl, Auth: a.auth()}
	if _, err := a.expect(ctx, StepCreateObject, create.Command()); err != nil {
		return err
	}
	for at := 0; at < len(data); at += piece {
		cmd := coolkey.WriteObject{
			ID: id, Offset: uint32(at), Data: data[at:min(at+piece, len(data))], Auth: a.auth(),
		}
		if _, err := a.expect(ctx, StepWriteObject, cmd.Command()); err != nil {
			return err
		}
	}
	return nil
}

// DeleteObject deletes an object and wipes what was in it.
func DeleteObject(ctx context.Context, a Access, id coolkey.ObjectID) error {
	cmd := coolkey.DeleteObject{ID: id, Zeroize: true, Auth: a.auth()}
	_, err := a.expect(ctx, StepDeleteObject, cmd.Command())
	return err
}
