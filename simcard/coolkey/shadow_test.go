package coolkey_test

import (
	"encoding/binary"

	"github.com/stretchr/testify/require"

	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// shadow is what a card must be like after all that was answered, kept apart from the card: objects
// with access conditions and those bytes that are known, PINs with tries, who is logged in. It judges
// every further answer.
type shadow struct {
	l       *lab
	objects map[lang.ObjectID]*shadowObject
	pins    [lang.MaxPINs]shadowPIN
	rules   lang.BuiltinACL
	keys    int // key objects ever built
	heap    int
}

type shadowObject struct {
	acl     [3]lang.ACL // read, write, delete
	content []int16     // -1 is unknown
}

type shadowPIN struct {
	exists      bool
	limit, left int
	value       string
	logins      int
}

func newShadow(l *lab, heap int) *shadow {
	s := &shadow{l: l, objects: map[lang.ObjectID]*shadowObject{}, rules: lang.DefaultBuiltinACL, heap: heap}
	s.rules.Enable = 1
	return s
}

// mask has the bit of every PIN that is logged in.
func (s *shadow) mask() (m lang.ACL) {
	for n, p := range s.pins {
		if p.logins > 0 {
			m |= lang.ACLPIN0 << n
		}
	}
	return m
}

// reset is a loss of power.
func (s *shadow) reset() {
	for n := range s.pins {
		s.pins[n].logins = 0
	}
}

// observe judges an answer and draws its consequences.
func (s *shadow) observe(cmd apdu.Command, resp apdu.Response) {
	who, data := lang.ACLRA, cmd.Data
	switch cmd.CLA {
	case lang.CLAUser:
		who = s.mask()
		if n := len(data) - lang.NonceLen; n >= 0 {
			if lang.Nonce(data[n:]).IsZero() {
				who = lang.ACLAnonymous
			}
			data = data[:n]
		}
	case lang.CLASecure:
	default:
		return
	}
	if len(data) >= 4 {
		s.observeObject(cmd, who, data, resp)
	}
	s.observePIN(cmd, who, data, resp)
	if cmd.INS == lang.INSGetStatus && resp.SW.OK() {
		s.observeStatus(resp.Data)
	}
	if cmd.INS == lang.INSSetBuiltinACL && resp.SW.OK() {
		s.rules, _ = lang.ParseBuiltinACL(cmd.Data)
	}
}

func (s *shadow) observeObject(cmd apdu.Command, who lang.ACL, data []byte, resp apdu.Response) {
	t, id := s.l.t, lang.ObjectID(binary.BigEndian.Uint32(data))
	if id.IsIO() {
		return
	}
	o := s.objects[id]
	granted := func(i int) bool { return o != nil && o.acl[i].Grants(who) }
	switch cmd.INS {
	case lang.INSCreateObject:
		s.observeCreate(id, who, data, resp.SW)
	case lang.INSImportKey, lang.INSImportEncryptedKey:
		if o != nil {
			o.forget()
		}
	case lang.INSDeleteObject:
		if resp.SW.OK() {
			require.True(t, granted(2), "deleted without right")
			delete(s.objects, id)
		}
	case lang.INSReadObject:
		if resp.SW.OK() {
			require.True(t, granted(0), "read without right")
			o.check(s.l, data, resp.Data)
		} else if resp.SW == apdu.SW9C07 {
			require.Nil(t, o, "an object is missing")
		}
	case lang.INSWriteObject:
		if resp.SW.OK() {
			require.True(t, granted(1), "written without right")
			o.write(cmd.Data)
		}
	}
}

func (s *shadow) observeCreate(id lang.ObjectID, who lang.ACL, data []byte, sw apdu.SW) {
	if len(data) != 14 {
		return
	}
	size := int(binary.BigEndian.Uint32(data[4:]))
	switch {
	case sw == apdu.SW9C08:
		require.NotNil(s.l.t, s.objects[id])
	case sw == apdu.SW9C01 && who == lang.ACLRA && size <= 0x7FFF:
		delete(s.objects, id) // It is gone even if the new one does not fit.
	case sw.OK():
		require.True(s.l.t, s.rules.CreateObject.Grants(who), "created without right")
		require.True(s.l.t, who == lang.ACLRA || s.objects[id] == nil, "replaced by a user")
		o := &shadowObject{content: make([]int16, size)}
		for i := range o.acl {
			o.acl[i] = lang.ACL(binary.BigEndian.Uint16(data[8+2*i:]))
		}
		o.forget()
		s.objects[id] = o
	}
}

func (o *shadowObject) forget() {
	for i := range o.content {
		o.content[i] = -1
	}
}

// check compares what was read with what is known, and learns the rest.
func (o *shadowObject) check(l *lab, cmd, got []byte) {
	at := int(binary.BigEndian.Uint16(cmd[6:]))
	require.Len(l.t, got, int(cmd[8]))
	require.LessOrEqual(l.t, at+len(got), len(o.content))
	for i, b := range got {
		if known := o.content[at+i]; known >= 0 {
			require.EqualValues(l.t, known, b, "byte %d of an object", at+i)
		}
		o.content[at+i] = int16(b)
	}
}

// write puts in what a command brought, with zeros for what it did not.
func (o *shadowObject) write(data []byte) {
	var buffer [600]byte
	copy(buffer[:], data)
	at := int(binary.BigEndian.Uint16(buffer[6:]))
	for i := range int(buffer[8]) {
		o.content[at+i] = int16(buffer[9+i])
	}
}

func (s *shadow) observePIN(cmd apdu.Command, who lang.ACL, data []byte, resp apdu.Response) {
	if cmd.P1 >= lang.MaxPINs {
		return
	}
	t, p, sw := s.l.t, &s.pins[cmd.P1], resp.SW
	set := func(value []byte) { p.exists, p.value, p.left = true, string(value), p.limit }
	wrong := func(value []byte) {
		if n := len(value); n >= lang.MinPIN && n <= lang.MaxPIN {
			require.Positive(t, p.left)
			p.left--
		}
		p.logins = 0
	}
	switch {
	case cmd.INS == lang.INSCreatePIN && sw.OK():
		require.True(t, s.rules.CreatePIN.Grants(who))
		require.False(t, p.exists)
		p.limit = int(cmd.P2)
		set(data)
	case cmd.INS == lang.INSSetPIN && sw.OK() && cmd.CLA == lang.CLASecure:
		set(cmd.Data)
		p.logins = 0
	case cmd.CLA != lang.CLAUser:
	case cmd.INS == lang.INSVerifyPIN && sw.OK():
		require.Equal(t, p.value, string(cmd.Data))
		require.Positive(t, p.left, "a blocked PIN was taken")
		p.left, p.logins = p.limit, p.logins+1
	case cmd.INS == lang.INSVerifyPIN && sw == apdu.SW9C02:
		require.NotEqual(t, p.value, string(cmd.Data))
		wrong(cmd.Data)
	case cmd.INS == lang.INSChangePIN && sw.OK():
		n := int(cmd.Data[0])
		require.Equal(t, p.value, string(cmd.Data[1:1+n]))
		set(cmd.Data[2+n : 2+n+int(cmd.Data[1+n])])
		p.logins = 0
	case cmd.INS == lang.INSChangePIN && sw == apdu.SW9C02:
		wrong(cmd.Data[1 : 1+int(cmd.Data[0])])
	case sw == apdu.SW9C0C && (cmd.INS == lang.INSVerifyPIN || cmd.INS == lang.INSChangePIN):
		require.Zero(t, p.left)
	case cmd.INS == lang.INSGetPINTries && sw.OK():
		require.EqualValues(t, p.left, resp.Data[0])
	case cmd.INS == lang.INSLogout && sw.OK():
		p.logins = max(0, p.logins-1)
	}
}

// observeStatus holds the numbers of GET STATUS against what they count: every object costs 16 bytes
// beside its content and at most three that no block could be made of, every free block two.
func (s *shadow) observeStatus(b []byte) {
	st, err := lang.ParseStatus(b)
	require.NoError(s.l.t, err)
	require.EqualValues(s.l.t, s.heap, st.TotalMemory)
	used, count := 0, len(s.objects)
	for _, o := range s.objects {
		used += len(o.content) + 16
	}
	lost := s.heap - used - int(st.FreeMemory)
	require.GreaterOrEqual(s.l.t, lost, 0, "more free memory than there is")
	require.LessOrEqual(s.l.t, lost, 2*(count+1)+3*count, "memory leaks")
	pins := 0
	for _, p := range s.pins {
		if p.exists {
			pins++
		}
	}
	require.EqualValues(s.l.t, pins, st.PINs)
	require.GreaterOrEqual(s.l.t, int(st.Keys), s.keys)
	require.LessOrEqual(s.l.t, int(st.Keys), lang.MaxKeys)
	s.keys = int(st.Keys)
	require.EqualValues(s.l.t, s.mask(), st.LoggedIn)
}
