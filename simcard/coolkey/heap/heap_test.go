package heap_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/coolkey/heap"
	lang "tokenwright/tms/coolkey"
)

func empty(size int) heap.Heap { return heap.New(make([]byte, size), &heap.Lists{}) }

var acl = [heap.ACLLen]byte{0xFF, 0xFF, 0x40, 0, 0, 1}

func TestObjectsCostTheirHeader(t *testing.T) {
	h := empty(5000)
	require.Equal(t, 4998, h.FreeBytes())
	require.True(t, h.Create(1, 100, acl))
	require.Equal(t, 4998-116, h.FreeBytes())
	o, ok := h.Find(1)
	require.True(t, ok)
	require.Equal(t, make([]byte, 100), o.Data())
	require.Equal(t, acl[:], o.ACL())
	require.Equal(t, []lang.ACL{lang.ACLAnyone, lang.ACLRA, lang.ACLPIN0},
		[]lang.ACL{o.Read(), o.Write(), o.Delete()})
	copy(o.Data(), "content")

	// What was there stays, unless it is zeroed.
	h.Remove(o, false)
	require.Equal(t, 4998, h.FreeBytes())
	require.True(t, h.Create(2, 100, acl))
	o, _ = h.Find(2)
	require.Equal(t, []byte("content"), o.Data()[:7])
	h.Remove(o, true)
	require.True(t, h.Create(3, 100, acl))
	o, _ = h.Find(3)
	require.Equal(t, make([]byte, 100), o.Data())
}

func TestRoom(t *testing.T) {
	h := empty(5000)
	require.False(t, h.Create(1, 4985, acl))
	require.True(t, h.Create(1, 4984, acl))
	require.Equal(t, 0, h.FreeBytes())
	require.False(t, h.Create(2, 1, acl))
	for _, size := range []int{0, 1, 2, 3, 4, 10} {
		h := empty(size)
		require.NoError(t, h.Check())
		require.False(t, h.Create(1, 1, acl))
	}
	require.False(t, empty(heap.MaxSize).Create(1, heap.MaxObject, acl))
	require.True(t, empty(heap.MaxSize).Create(1, heap.MaxSize-16, acl))

	// A heap in pieces has room for none of their sum.
	h = empty(300)
	for id := range lang.ObjectID(5) {
		require.True(t, h.Create(id, 40, acl))
	}
	for _, id := range []lang.ObjectID{1, 3} {
		o, _ := h.Find(id)
		h.Remove(o, true)
	}
	require.Greater(t, h.FreeBytes(), 90)
	require.False(t, h.Create(9, 60, acl))
	require.True(t, h.Create(9, 40, acl))
}

func ids(h heap.Heap) (out []lang.ObjectID) {
	h.Rewind()
	for o, ok := h.Step(); ok; o, ok = h.Step() {
		out = append(out, o.ID())
	}
	return out
}

func TestOrder(t *testing.T) {
	h := empty(1000)
	require.Empty(t, ids(h))
	for id := range lang.ObjectID(4) {
		require.True(t, h.Create(id, 8, acl))
	}
	require.Equal(t, []lang.ObjectID{3, 2, 1, 0}, ids(h))

	// Removing what the enumeration stands at moves it on.
	h.Rewind()
	h.Step()
	o, _ := h.Find(2)
	h.Remove(o, true)
	o, ok := h.Step()
	require.True(t, ok)
	require.EqualValues(t, 1, o.ID())
	o, _ = h.Find(0)
	h.Remove(o, true)
	_, ok = h.Step()
	require.False(t, ok)
	require.Equal(t, []lang.ObjectID{3, 1}, ids(h))
}

// A heap goes through random creations and removals beside a map that knows what must be in it.
func TestHeapAgainstMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h, want := empty(2000), map[lang.ObjectID][]byte{}
	for range 20000 {
		id := lang.ObjectID(rng.IntN(20))
		o, ok := h.Find(id)
		require.Equal(t, want[id] != nil, ok)
		if ok {
			require.Equal(t, want[id], o.Data())
			h.Remove(o, rng.IntN(2) == 0)
			delete(want, id)
		} else if size := 1 + rng.IntN(300); h.Create(id, size, acl) {
			o, _ := h.Find(id)
			for i := range o.Data() {
				o.Data()[i] = byte(rng.Uint32())
			}
			want[id] = bytes.Clone(o.Data())
		}
		require.NoError(t, h.Check())
		require.Len(t, ids(h), len(want))
	}
}

func TestCorruptHeaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	h := empty(400)
	for id := range lang.ObjectID(6) {
		require.True(t, h.Create(id, 20, acl))
	}
	o, _ := h.Find(2)
	h.Remove(o, true)
	refused := 0
	for range 20000 {
		lists := *h.Lists
		bad := heap.Heap{Mem: bytes.Clone(h.Mem), Lists: &lists}
		if rng.IntN(4) == 0 {
			*[]*uint16{&lists.Free, &lists.Newest, &lists.Next}[rng.IntN(3)] = uint16(rng.IntN(450))
		}
		for range 1 + rng.IntN(4) {
			bad.Mem[rng.IntN(len(bad.Mem))] = byte(rng.Uint32())
		}
		if err := bad.Check(); err != nil {
			require.ErrorIs(t, err, heap.ErrCorrupt)
			refused++
			continue
		}
		bad.FreeBytes() // What passes the check can be walked.
		ids(bad)
		bad.Find(99)
	}
	require.Greater(t, refused, 1000)
	require.ErrorIs(t, heap.Heap{Mem: make([]byte, heap.MaxSize+1), Lists: &heap.Lists{}}.Check(), heap.ErrCorrupt)
}

func TestNothingIsAllocated(t *testing.T) {
	h := empty(5000)
	for id := range lang.ObjectID(100) {
		require.True(t, h.Create(id, 16, acl))
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		o, _ := h.Find(0)
		h.Remove(o, true)
		h.Create(0, 16, acl)
		h.FreeBytes()
	}))
}
