package oldclient

import (
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exchange is a command of the recorded server, and the answer as the recorded client wrote it.
type exchange struct {
	session     string
	cmd, answer []byte
	written     string
}

// recording reads what passed between the native client and a server that stood in.
func recording(t *testing.T) (all []exchange) {
	t.Helper()
	raw, err := os.ReadFile("../../tms/wire/testdata/tps-client-session.txt")
	require.NoError(t, err)
	var cmd []byte
	for line := range strings.Lines(string(raw)) {
		_, text, ok := strings.Cut(line, "s=")
		if !ok {
			continue
		}
		text = "s=" + strings.TrimSuffix(strings.TrimSpace(text), `\r\n`)
		_, data, ok := strings.Cut(text, "pdu_data=")
		if !ok {
			continue
		}
		data, _, _ = strings.Cut(data, "&")
		b, err := url.QueryUnescape(data)
		require.NoError(t, err)
		if strings.Contains(line, "S->C") {
			cmd = []byte(b)
			continue
		}
		all = append(all, exchange{line[:2], cmd, []byte(b), text})
	}
	require.NotEmpty(t, all)
	return all
}

// Each answer is the recorded one, byte for byte, and written the same. The token's own random choices are
// taken from the recording; READ OBJECT and READ BUFFER depend on a key that nobody has.
func TestAnswersAreTheRecordedOnes(t *testing.T) {
	token := New(Recorded)
	compared := map[byte]int{}
	for i, e := range recording(t) {
		if i > 0 && e.session == "#3" && token.Version != 1 {
			token = New(Recorded) // the client was started anew
		}
		ins := e.cmd[1]
		if ins == 0x56 || ins == 0x08 || ins == 0x0C {
			continue
		}
		var got []byte
		var err error
		if ins == 0x50 {
			got, err = token.answer([8]byte(e.cmd[5:13]), [8]byte(e.answer[12:20]))
		} else {
			got, err = token.Transmit(e.cmd)
		}
		require.NoError(t, err, "%X", e.cmd)
		assert.Equal(t, hex.EncodeToString(e.answer), hex.EncodeToString(got), "%X", e.cmd)
		assert.Equal(t, e.written, string(PDU(got)))
		compared[ins]++
	}
	assert.GreaterOrEqual(t, compared[0x50], 4, "cryptograms, one of them under changed keys")
	assert.NotZero(t, compared[0xD8])
}

// The recorded proof is over the key's blob and the challenge, decrypted.
func TestProofIsTheRecordedOne(t *testing.T) {
	var challenge, buffer []byte
	for _, e := range recording(t) {
		switch e.cmd[1] {
		case 0x0C:
			plain, err := ecb(Factory().KEK, e.cmd[11:27], true)
			require.NoError(t, err)
			challenge = plain
		case 0x56:
			buffer = append(buffer, e.answer[:len(e.answer)-2]...)
		}
	}
	n := int(binary.BigEndian.Uint16(buffer))
	blob, proof := buffer[2:2+n], buffer[4+n:]
	size := int(binary.BigEndian.Uint16(blob[4:]))
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(blob[6 : 6+size]), E: 65537}
	assert.Equal(t, hex.EncodeToString(blob), hex.EncodeToString(blobOf(key)))
	assert.NoError(t, rsa.VerifyPKCS1v15(key, crypto.SHA1, proven(blob, challenge), proof))
}

func TestOpeningMessagesAreTheRecordedOnes(t *testing.T) {
	raw, err := os.ReadFile("../../tms/wire/testdata/tps-client-session.txt")
	require.NoError(t, err)
	for _, m := range [][]byte{
		Begin(1), Begin(5), Begin(3), Login("user1", "secret123"), PIN("secret123"), Progress(10),
	} {
		assert.Contains(t, string(raw), string(m))
	}
}

func TestSilence(t *testing.T) {
	token := New(Recorded)
	_, err := token.Transmit([]byte{0x84, 0x55, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	require.ErrorIs(t, err, ErrSilent)
	assert.Equal(t, byte(0x55), token.Silent)
}
