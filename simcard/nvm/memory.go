package nvm

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// page is the largest physical write in bytes, so that a long commit can be cut in many places.
const page = 256

// Options set up a Memory. The zero value is a memory of maxLive bytes without a hook.
type Options struct {
	// Hook is asked before every physical write; nil never cuts.
	Hook Hook
	// Limit bounds the bytes of all records together; 0, or more than 2 MiB, is 2 MiB.
	Limit int
}

// maxLimit is far past the largest card, and small enough for a compacted image of one frame.
const maxLimit = 2 << 20

// overhead is what a record takes besides its name and value.
const overhead = 8

// Memory holds named records and writes their changes to a Device. It is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	dev     Device
	hook    Hook
	limit   int
	records map[string][]byte
	used    int   // bytes of records
	end     int64 // bytes of the image
	seq     uint64
	writes  uint64
	frame   []byte // of the last commit, for its room
	err     error  // what ended this memory's life
}

// Open reads the device, drops a commit that was cut, and gives its records. An empty device becomes
// an empty memory. It fails with ErrCorrupt for content that no cut can leave behind; the device
// then stays as it is.
func Open(dev Device, o Options) (*Memory, error) {
	m := &Memory{dev: dev, hook: o.Hook, limit: o.Limit}
	if m.limit <= 0 || m.limit > maxLimit {
		m.limit = maxLimit
	}
	if err := m.load(); err != nil {
		return nil, err
	}
	return m, nil
}

// Restart reads the device anew, as Open does: the card gets power again. The count of writes that
// the hook sees goes on.
func (m *Memory) Restart() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == ErrClosed {
		return ErrClosed
	}
	m.err = m.load()
	return m.err
}

func (m *Memory) load() error {
	image, err := m.dev.Load()
	if err != nil {
		return err
	}
	m.records, m.used, m.seq, m.end, m.err = map[string][]byte{}, 0, 0, 0, nil
	if isTornHeader(image) {
		return m.start(len(image))
	}
	if err := checkHeader(image); err != nil {
		return err
	}
	off := headerLen
	for off < len(image) {
		body, size, torn, err := nextFrame(image[off:])
		if err != nil {
			return fmt.Errorf("at byte %d: %w", off, err)
		}
		if torn {
			break
		}
		seq, changes, err := parseBody(body)
		if err == nil && seq != m.seq+1 && m.seq != 0 {
			err = fmt.Errorf("%w: commit %d after %d", ErrCorrupt, seq, m.seq)
		}
		if err != nil {
			return fmt.Errorf("at byte %d: %w", off, err)
		}
		m.apply(seq, changes)
		if m.used > m.limit {
			return fmt.Errorf("at byte %d: %w", off, ErrFull)
		}
		off += size
	}
	m.end = int64(off)
	return m.dev.Truncate(m.end)
}

// isTornHeader tells an empty device, or one that lost power while its header was written.
func isTornHeader(image []byte) bool {
	return len(image) < headerLen && strings.HasPrefix(string(appendHeader(nil)), string(image))
}

// start writes the header of an empty device of which had bytes are there.
func (m *Memory) start(had int) error {
	if had > 0 {
		if err := m.dev.Truncate(0); err != nil {
			return err
		}
	}
	return m.write(appendHeader(nil))
}

func (m *Memory) apply(seq uint64, changes []change) {
	m.seq = seq
	for _, c := range changes {
		if old, ok := m.records[c.name]; ok {
			m.used -= cost(c.name, old)
		}
		if c.del {
			delete(m.records, c.name)
			continue
		}
		m.records[c.name] = slices.Clone(c.value)
		m.used += cost(c.name, c.value)
	}
}

func cost(name string, value []byte) int { return len(name) + len(value) + overhead }

// Get gives the value of a record. The slice is the memory's own and must not be changed; it stays
// as it is when the record changes.
func (m *Memory) Get(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.records[name]
	return v, ok
}

// Names lists the records whose names start with prefix, sorted.
func (m *Memory) Names(prefix string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for name := range m.records {
		if strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Used is the number of bytes that all records take.
func (m *Memory) Used() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Commits is the number of the last commit. It grows for the life of the memory.
func (m *Memory) Commits() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seq
}

// Writes is the number of physical writes since Open.
func (m *Memory) Writes() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

// SetHook changes the hook; nil never cuts.
func (m *Memory) SetHook(h Hook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = h
}

// Err tells what ended this memory's life, nil while it works: ErrPowerLost until Restart, ErrClosed
// for good, or a failure of the device.
func (m *Memory) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Close gives the device back.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == ErrClosed {
		return nil
	}
	m.err = ErrClosed
	return m.dev.Close()
}
