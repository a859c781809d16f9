package simcard_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
)

// Slots 2 and 3 hold the RSA-1024 pair of enroll, for PIN 0.
const use = "B03602"

// challenge is the plain challenge of enroll.
var challenge = []byte("enrollment proof")

func (c *caseCard) wrap(plain []byte) string {
	c.t.Helper()
	b, err := c.set.DEK.EncryptECB(plain)
	require.NoError(c.t, err)
	return upper(b)
}

func (c *caseCard) enrollment(p1p2 string, bits int) string {
	c.t.Helper()
	return fmt.Sprintf("840C%s1780%04X000010%s00", p1p2, bits, c.wrap(challenge))
}

func (c *caseCard) enroll(p1p2 string, bits int, want string) {
	c.t.Helper()
	c.want(c.enrollment(p1p2, bits), want)
}

// public reads the blob that enroll left in the buffer, and the proof behind it.
func (c *caseCard) public() (blob, proof []byte, key *rsa.PublicKey) {
	c.t.Helper()
	b := c.buffer(2)
	b = c.buffer(2 + int(binary.BigEndian.Uint16(b)) + 2)
	n := int(binary.BigEndian.Uint16(b))
	blob = b[2 : 2+n]
	m := int(binary.BigEndian.Uint16(b[2+n:]))
	proof = c.buffer(2 + n + 2 + m)[2+n+2:]
	size := int(binary.BigEndian.Uint16(blob[4:]))
	return blob, proof, &rsa.PublicKey{N: new(big.Int).SetBytes(blob[6 : 6+size]), E: 65537}
}

func (c *caseCard) buffer(n int) (out []byte) {
	c.t.Helper()
	for len(out) < n {
		m := min(200, n-len(out))
		r := c.ask(fmt.Sprintf("B056000011FFFFFFFF%08X%02XZ", len(out), m))
		require.Equal(c.t, "9000", sw(r))
		out = append(out, unhex(c.t, r[:len(r)-4])...)
	}
	return out
}

// put writes a key blob into the buffer.
func (c *caseCard) put(content string) {
	c.t.Helper()
	n := len(content) / 2
	c.want(fmt.Sprintf("B0540000%02XFFFFFFFF00000000%02X%sZ", n+17, n, content), "9000")
}

// imported is IMPORT KEY ENCRYPTED to slots 4 and 5 under the session key of encrypt.
func (c *caseCard) imported(object string) string {
	c.t.Helper()
	return "840A040520" + object + "8110" + c.wrap(sessionKey) + "0008" + iv
}

const iv = "0102030405060708"

var sessionKey = []byte("a 3DES key, two-")

// encrypt gives data as they are under the session key.
func (c *caseCard) encrypt(data string) string {
	c.t.Helper()
	k, err := keys.New(keys.DES3, sessionKey)
	require.NoError(c.t, err)
	b, err := k.EncryptCBC(unhex(c.t, iv), unhex(c.t, data))
	require.NoError(c.t, err)
	return upper(b)
}

func oneStep(head, data string) string {
	n := len(head)/2 + len(data)/2 + 8
	return fmt.Sprintf("%s04%02X%s%sN", use, n, head, data)
}

var keyCases = []differential{
	{55, "no such key", func(c *caseCard) {
		c.want("B03600040D0003010000Z", "9C10", "B03618040D0003010000Z", "9C10",
			"B036FF040D0003010000Z", "9C10")
	}},
	{56, "use without right, and steps", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.want("B03602040D0003010000Z", "9C06")
		c.logIn()
		c.want("B03602000D0003010000N", "9C11", "B03602050D0003010000N", "9C11")
	}},
	{57, "direction, mode, location", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.logIn()
		for head, want := range map[string]string{
			"000101": "9C13", "000201": "9C13", "000001": "9C14", "000501": "9C14",
			"010301": "9C1B", "020301": "9C1C", "100301": "9C1C", "000300": "9C16", "000303": "9C16",
		} {
			c.want(oneStep(head+"0080", ff(128)), want)
		}
	}},
	{58, "input lengths", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.logIn()
		c.want(oneStep("000301007F", ff(127)), "9C19", oneStep("0003010081", ff(129)), "9C19",
			oneStep("0003018000", ff(128)), "9C19", oneStep("0003010000", ""), "9C19",
			oneStep("0003", ""), "6700", oneStep("000301", ""), "6700", oneStep("00030100", ""), "6700")
	}},
	{59, "input not below the modulus", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		_, _, key := c.public()
		c.logIn()
		c.want(oneStep("0003010080", upper(key.N.Bytes())), "6F00",
			oneStep("0003010080", ff(128)), "6F00")
	}},
	{60, "init, process, final, final", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.logIn()
		input := "010080" + "00" + ff(127) + "N"
		c.want(use+"010E0003010001AAN", "9C19", use+"010D0003010000N", "9000",
			use+"028B"+input, "9C17", use+"038B"+input, "#130", use+"038B"+input, "9C0B")
	}},
	{61, "final after selection", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.logIn()
		c.reselect()
		c.want(use+"038B010080"+"00"+ff(127)+"N", "9C14")
	}},
	{62, "input in the buffer", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.logIn()
		c.put("01")
		c.want(oneStep("0003020000", ""), "6700")
		c.put("0004")
		c.want(oneStep("0003020000", ""), "9C19")
		c.put("0003AABBCC")
		c.want(oneStep("0003020000", ""), "9C19")
		c.put("0080" + "00" + ff(127))
		c.want(oneStep("000302", ""), "=9000")
		require.Equal(c.t, []byte{0, 0x80}, c.buffer(130)[:2])
	}},
	{63, "2048 bits do not fit an APDU", func(c *caseCard) {
		c.enroll("0203", 2048, "=020F9000")
		c.logIn()
		c.want(oneStep("0003010100", ""), "9C19")
	}},
	{64, "direction does not matter for a private key", func(c *caseCard) {
		c.enroll("0203", 1024, "=010F9000")
		c.logIn()
		input := "00" + strings.Repeat("5A", 127)
		one := c.ask(oneStep("0003010080", input))
		require.Equal(c.t, "9000", sw(one))
		c.want(oneStep("0004010080", input), "="+one)
	}},
	{65, "keys in the channel", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		input := "0003010080" + "00" + ff(127)
		c.want("8436020485"+input, "9C06", "8436030485"+input, "#130")
	}},
	{66, "enrollment length and owners", func(c *caseCard) {
		good := c.enrollment("0203", 1024)
		c.want("840C020316"+good[10:len(good)-2], "6700")
		for owner := 9; owner <= 14; owner++ {
			c.enroll(fmt.Sprintf("%X203", owner), 1024, "9C10")
		}
		c.enroll("8203", 1024, "9000")
		c.logIn()
		c.want(oneStep("0003010080", "00"+ff(127)), "9C06")
	}},
	{67, "enrollment again", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.enroll("0203", 1024, "9000")
		c.enroll("0203", 2048, "9C03")
		c.enroll("0204", 1024, "9C1E")
	}},
	{68, "enrollment in the older form", func(c *caseCard) {
		c.enroll("0000", 1024, "9000")
		c.want("B03A00000B", "=0003010400000040"+"00FFFF9000",
			"B03A01000B", "=0101000400FFFF4000FFFF9000", "B03A01000B", "=9000")
	}},
	{69, "the proof", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		blob, proof, key := c.public()
		digest := sha1.Sum(append(blob, challenge...))
		require.NoError(c.t, rsa.VerifyPKCS1v15(key, crypto.SHA1, digest[:], proof))
	}},
	{70, "clear key slots", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.want("8455000000", "9C0F", "845500000102", "9C0F", "84550000021901", "9C0F",
			"84550000021801", "6F00", "84550000020204", "9C1E", "84550100020203", "9C10",
			"84550001020203", "9C11", "84550000020203", "9000", "B03A00000B", "#11")
	}},
	{71, "cleared slots", func(c *caseCard) {
		c.enroll("0203", 1024, "9000")
		c.want("84550000020405", "9000", "B03A00000B", "=9000",
			"84360304850004010080"+ff(128), "6F00", "84360204850004010080"+ff(128), "9C06")
		c.enroll("0302", 1024, "9C03")
		c.enroll("0203", 2048, "6F00")
	}},
	{72, "plain import", func(c *caseCard) {
		const to0 = "843200000AFFFFFFFF000040000001"
		c.want("843218000AFFFFFFFF000040000001", "9C10", "843200000A51515151000040000001", "9C07")
		for blob, want := range map[string]string{
			"01010400": "9C05", "000104": "9C0F", "0001040000": "9C0F", "00030400": "9C0F",
			"00000400": "9C18", "000A0400": "9C18", "00020400": "9C17", "00040400": "9C17",
			"00050400": "9C17", "00060400": "9C17", "00070400": "9C17", "00080400": "9C17",
		} {
			c.put(blob)
			c.want(to0, want)
		}
	}},
	{73, "plain import into a new slot", func(c *caseCard) {
		c.put("000104000001030001" + "03")
		c.logIn()
		c.want("B032050012FFFFFFFFFFFF4000FFFFZ", "9C06", "B032050012FFFFFFFFFFFF4000FFFFN", "9C06",
			"843205000AFFFFFFFFFFFF4000FFFF", "9000")
	}},
	{74, "plain import of a pair", func(c *caseCard) {
		const acls = "10FFFFFFFF000040000001FFFF4000FFFF"
		c.enroll("0203", 1024, "9000")
		c.put("00090400" + "3010020100300D06092A864886F70D0101020500")
		c.want("84320405"+acls, "9C21")
		c.put("00090400" + "0003020100")
		c.want("84320405"+acls, "9CD0", "84320205"+acls, "9C1E", "84320418"+acls, "6F00")
	}},
	{75, "a private key without mate", func(c *caseCard) {
		// p = 251, q = 241, e = 7, with exponents modulo p-1 and q-1.
		c.put("00030400" + "0001FB0001F10001" + "E2" + "00016B00016" + "7")
		c.want("843204000AFFFFFFFF00004000FFFF", "9000", "B03A00000B", "=0403FF0400"+"00004000FFFF9000")
		input := "010080" + strings.Repeat("00", 127) + "02"
		c.want("843604048500"+"04"+input, "#130", "843604048500"+"03"+input, "6F00")
	}},
	{76, "encrypted import, lengths and check value", func(c *caseCard) {
		k := c.wrap(sessionKey)
		c.want("840A040518FFFFFFFF8108"+k[:16]+"0008"+iv, "9C1A",
			"840A040528FFFFFFFF8118"+k+k[:16]+"0008"+iv, "9C1A",
			"840A040518FFFFFFFF8110"+k+"0000", "6700",
			"840A040528FFFFFFFF8110"+k+"0010"+iv+iv, "6700", "840A040506FFFFFFFF8110", "6700",
			"840A040516FFFFFFFF8110"+k, "6700", "840A040517FFFFFFFF8110"+k+"00", "6700",
			"840A040523FFFFFFFF8110"+k+"0301020308"+iv, "9C20")
	}},
	{77, "encrypted import, object", func(c *caseCard) {
		c.want(c.imported("51515151"), "9C07")
		c.object("41414141", "0001FFFF")
		c.want(c.imported("41414141"), "9C06")
		c.object("41414141", "FFFF0001")
		c.want(c.imported("41414141"), "9C06")
	}},
	{78, "encrypted import, content", func(c *caseCard) {
		c.put("01090400" + ff(16))
		c.want(c.imported("FFFFFFFF"), "9C22")
		h := c.host
		h.store("41414141", "FFFFFFFFFFFF", unhex(c.t, "02090400"+ff(16)))
		c.put("00")
		c.want(c.imported("41414141"), "9C22")
		h.store("41414141", "FFFFFFFFFFFF", unhex(c.t, "02090400"+ff(16)))
		c.put("01")
		c.want(c.imported("41414141"), "9C0F")
	}},
	{79, "encrypted import, incomplete block", func(c *caseCard) {
		c.put("01090400" + ff(15))
		c.want(c.imported("FFFFFFFF"), "6F00")
		require.Equal(c.t, unhex(c.t, "01090400"+ff(15)), c.buffer(19))
	}},
	{80, "encrypted import zeroes its source", func(c *caseCard) {
		zeroed := func(blob, want string) {
			c.store("41414141", "FFFFFFFFFFFF", unhex(c.t, blob))
			c.want(c.imported("41414141"), want,
				"B0560000114141414100000000"+fmt.Sprintf("%02XZ", len(blob)/2),
				"="+strings.Repeat("00", len(blob)/2)+"9000", "B05800000E", "#14")
		}
		zeroed("01090400"+ff(16), "9C22")
		zeroed("01010400"+c.encrypt("0002F1230001070"+"0"), "9000")
		c.want("84550000020203", "9000")
		c.enroll("0406", 1024, "9000")
		zeroed("01090400"+c.encrypt("3003020100000000"), "9C1E")
	}},
	{81, "set life cycle", func(c *caseCard) {
		for state, want := range map[string]string{
			"07": "9000", "0F": "9000", "1F": "9000", "7F": "9000",
			"00": "9C0F", "03": "9C0F", "0E": "9C0F", "80": "9C0F", "FF": "9C0F",
		} {
			c.want("84F0"+state+"00", want)
		}
		c.want("84F00F000100", "6700")
	}},
	{82, "set built-in acl, locked", func(c *caseCard) {
		k := ra(c.t) // installed without the option
		k.each(exchange{"84F800000740004000400000", "9C03"}, exchange{"84F8000006400040004000", "6700"})
	}},
	{83, "set built-in acl", func(c *caseCard) {
		c.want("84F80000070001000100"+"0101", "9000", create("41414141", 16, "FFFFFFFFFFFF"), "9C06",
			"B0F2000004", "=070301019000")
	}},
	{84, "set issuer info", func(c *caseCard) {
		c.want("84F40000DF"+ff(223), "6700", "84F40000E0"+ff(224), "9000",
			"84F4FFFFE0"+ff(224), "9000", "B0F60000E0", "="+ff(224)+"9000")
	}},
	{85, "extended length", func(c *caseCard) {
		c.want("B0710000000000", "6700", "B0F20000000004", "6700")
	}},
}
