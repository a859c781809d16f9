package perso

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
)

// ContentForm says in which form a token holds its content.
type ContentForm int

// Forms.
const (
	NoContent ContentForm = iota
	CombinedContent
	SeparateContent
)

// ErrNoRoom means that a token's content does not fit the applet's memory. Nothing
// was written.
var ErrNoRoom = errors.New("content does not fit the token's memory")

// contentACL are the access conditions of what tells about certificates and keys.
var contentACL = coolkey.ObjectACL{
	Read: coolkey.ACLAnyone, Write: coolkey.ACLRA, Delete: coolkey.ACLRA,
}

// ReadContent reads what the selected applet holds about certificates and keys:
// the combined object if there is one, else the separate objects.
func ReadContent(ctx context.Context, a Access) (content.Content, ContentForm, error) {
	list, err := ListObjects(ctx, a.beside())
	if err != nil {
		return content.Content{}, NoContent, err
	}
	if z0, ok := find(list, coolkey.ObjectCombined); ok {
		data, err := ReadObject(ctx, a, z0.ID, int(z0.Size))
		if err != nil {
			return content.Content{}, NoContent, err
		}
		c, err := content.ParseCombined(data)
		return c, CombinedContent, fail(StepReadContent, err)
	}
	var stored []content.Stored
	for _, o := range list {
		if !content.IsSeparate(o.ID) {
			continue
		}
		data, err := ReadObject(ctx, a, o.ID, int(o.Size))
		if err != nil {
			return content.Content{}, NoContent, err
		}
		stored = append(stored, content.Stored{ID: o.ID, Data: data})
	}
	if len(stored) == 0 {
		return content.Content{}, NoContent, nil
	}
	c, err := content.ParseSeparate(stored)
	return c, SeparateContent, fail(StepReadContent, err)
}

func find(list []coolkey.ObjectInfo, id coolkey.ObjectID) (coolkey.ObjectInfo, bool) {
	for _, o := range list {
		if o.ID == id {
			return o, true
		}
	}
	return coolkey.ObjectInfo{}, false
}

// ContentOptions say how WriteContent writes. The zero value is the combined form,
// compressed.
type ContentOptions struct {
	// Separate writes separate objects, for readers of older tokens.
	Separate bool
	// Plain leaves the combined object uncompressed.
	Plain bool
}

// WriteContent writes a token's content over a channel to the applet, and deletes
// what the token holds of the other form: readers look at one and would show what
// is no longer true. A combined object on the token gives c the version after its
// own, which is how readers know that they must read again; on a token without one
// c keeps the version that the caller gave it. Room is looked for before anything
// is changed. After an error in the middle the token's content is undefined, and
// the same call repairs it.
func WriteContent(
	ctx context.Context, ch *Channel, c *content.Content, o ContentOptions,
) error {
	list, err := ListObjects(ctx, ch.beside())
	if err != nil && !refused(err) {
		return err // a card that can't list what it holds is written all the same
	}
	if z0, ok := find(list, coolkey.ObjectCombined); ok {
		if err := nextVersion(ctx, ch, c, z0); err != nil {
			return err
		}
	}
	objects, err := o.encode(*c)
	if err != nil {
		return fail(StepWriteContent, err)
	}
	if err := checkRoom(ctx, ch, objects, list); err != nil {
		return err
	}
	for _, old := range list {
		if isContent(old.ID) && !among(objects, old.ID) {
			if err := DeleteObject(ctx, ch, old.ID); err != nil {
				return err
			}
		}
	}
	// Backwards, since the newest is listed first: the CoolKey module wants a
	// certificate before its keys.
	for _, s := range slices.Backward(objects) {
		if err := WriteObject(ctx, ch, s.ID, contentACL, s.Data); err != nil {
			return err
		}
	}
	return nil
}

// nextVersion gives c the version after that of the combined object. One that is
// too damaged to tell is no reason to stop: it is about to be replaced.
func nextVersion(
	ctx context.Context, ch *Channel, c *content.Content, z0 coolkey.ObjectInfo,
) error {
	if z0.Size < content.HeaderLen {
		return nil
	}
	head, err := ReadObject(ctx, ch, z0.ID, content.HeaderLen)
	if refused(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if h, err := content.ParseHeader(head); err == nil {
		c.Version = h.Version + 1
	}
	return nil
}

func (o ContentOptions) encode(c content.Content) ([]content.Stored, error) {
	if o.Separate {
		return c.Separate()
	}
	z0, err := c.Combined(content.Options{Plain: o.Plain})
	return []content.Stored{{ID: coolkey.ObjectCombined, Data: z0}}, err
}

func isContent(id coolkey.ObjectID) bool {
	return id == coolkey.ObjectCombined || content.IsSeparate(id)
}

func among(objects []content.Stored, id coolkey.ObjectID) bool {
	for _, s := range objects {
		if s.ID == id {
			return true
		}
	}
	return false
}

// objectOverhead is what an object takes of the applet's memory beside its data.
const objectOverhead = 16

// checkRoom compares the memory that the objects need with what is free or becomes
// so. An applet that does not tell is left to find out itself.
func checkRoom(
	ctx context.Context, ch *Channel, objects []content.Stored, list []coolkey.ObjectInfo,
) error {
	data, err := ask(ctx, ch.t, StepAppletStatus, coolkey.GetStatus{}.Command())
	if err != nil {
		return err
	}
	status, err := coolkey.ParseStatus(data)
	if err != nil {
		return nil
	}
	need, room := uint64(0), uint64(status.FreeMemory)
	if room > 0 {
		room += 2 // the size of a free block, which does not count as free
	}
	for _, s := range objects {
		need += uint64(len(s.Data)) + objectOverhead
	}
	for _, o := range list {
		if isContent(o.ID) {
			room += uint64(o.Size) + objectOverhead
		}
	}
	if need > room {
		return fail(StepWriteContent, fmt.Errorf("%w: it takes %d bytes, %d are free", ErrNoRoom, need,
			room))
	}
	return nil
}
