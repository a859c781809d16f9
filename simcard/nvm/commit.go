package nvm

import "fmt"

// Tx collects changes that take effect together.
type Tx struct {
	changes []change
	err     error
}

// fewChanges is how many changes most commits have at most.
const fewChanges = 4

// Put sets a record. The memory keeps a copy of value.
func (t *Tx) Put(name string, value []byte) {
	if len(name) == 0 || len(name) > maxName || len(value) > maxValue {
		t.err = fmt.Errorf("record %.40q of %d bytes: %w", name, len(value), ErrTooLarge)
		return
	}
	t.changes = append(t.changes, change{name: name, value: value})
}

// Delete removes a record; it need not exist.
func (t *Tx) Delete(name string) {
	if len(name) == 0 || len(name) > maxName {
		t.err = fmt.Errorf("record %.40q: %w", name, ErrTooLarge)
		return
	}
	t.changes = append(t.changes, change{name: name, del: true})
}

// Update runs fn and commits what it put and deleted, all or nothing. An error of fn is given back
// and nothing changes; ErrFull leaves the memory as it was; ErrPowerLost leaves the records as they
// were in this Memory, while Restart may show them changed: the write may have been complete.
func (m *Memory) Update(fn func(*Tx) error) error {
	t := Tx{changes: make([]change, 0, fewChanges)}
	if err := fn(&t); err != nil {
		return err
	}
	if t.err != nil {
		return t.err
	}
	if len(t.changes) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	if m.after(t.changes) > m.limit {
		return ErrFull
	}
	m.frame = appendFrame(m.frame[:0], m.seq+1, t.changes)
	if len(m.frame) > maxBody {
		return ErrTooLarge
	}
	if err := m.write(m.frame); err != nil {
		m.err = err
		return err
	}
	m.apply(m.seq+1, t.changes)
	if m.end > compactFactor*int64(m.used)+compactFloor {
		return m.compact()
	}
	return nil
}

// after is the number of bytes in use once the changes have taken place.
func (m *Memory) after(changes []change) int {
	used := m.used
	for i, c := range changes {
		used -= m.before(changes[:i], c.name)
		if !c.del {
			used += cost(c.name, c.value)
		}
	}
	return used
}

// before is the number of bytes that a record takes when the given changes have taken place.
func (m *Memory) before(changes []change, name string) int {
	for i := len(changes) - 1; i >= 0; i-- {
		switch c := changes[i]; {
		case c.name != name:
		case c.del:
			return 0
		default:
			return cost(name, c.value)
		}
	}
	if v, ok := m.records[name]; ok {
		return cost(name, v)
	}
	return 0
}

// write appends b in pages, each of which the hook may cut.
func (m *Memory) write(b []byte) error {
	if m.hook == nil {
		return m.put(b)
	}
	for len(b) > 0 {
		n := min(page, len(b))
		m.writes++
		cut := m.hook(Write{N: m.writes, Len: n})
		switch cut {
		case Before:
			return ErrPowerLost
		case Torn:
			if err := m.put(b[:n/2]); err != nil {
				return err
			}
			return ErrPowerLost
		}
		if err := m.put(b[:n]); err != nil {
			return err
		}
		if cut == After {
			return ErrPowerLost
		}
		b = b[n:]
	}
	return nil
}

func (m *Memory) put(b []byte) error {
	if err := m.dev.Append(b); err != nil {
		return fmt.Errorf("writing card memory: %w", err)
	}
	m.end += int64(len(b))
	return nil
}

// A log is compacted once it is compactFactor times what it holds plus compactFloor bytes.
const (
	compactFactor = 4
	compactFloor  = 256 << 10
)

// compact swaps the log for one that has a single commit. The commit before it stands in any case.
func (m *Memory) compact() error {
	changes := make([]change, 0, len(m.records))
	for name, v := range m.records {
		changes = append(changes, change{name: name, value: v})
	}
	image := appendFrame(appendHeader(nil), m.seq, changes)
	cut := Keep
	if m.hook != nil {
		m.writes++
		cut = m.hook(Write{N: m.writes, Len: len(image), Swap: true})
	}
	if cut == Before || cut == Torn {
		m.err = ErrPowerLost
		return m.err
	}
	if err := m.dev.Replace(image); err != nil {
		m.err = fmt.Errorf("compacting card memory: %w", err)
		return m.err
	}
	m.end = int64(len(image))
	if cut == After {
		m.err = ErrPowerLost
		return m.err
	}
	return nil
}
