package coolkey_test

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/pubkey"
)

func leadPlainImport(l *lab) {
	k := smallKey()
	source := func(class, slot, blob, want string) {
		l.create("41414141", "FFFFFFFFFFFF", blob)
		nonce := nonceOf(class)
		if l.model.Version.Build == build15 {
			want = "9000"
		}
		l.want(command(class+"32"+slot+"00", "41414141"+ff(6)+nonce), want)
	}
	for _, class := range []string{"84", "B0"} {
		l.want("84F8000007FFFFFFFFFFFF01", "9000")
		source(class, "00", publicBlob(512, k), "9000")
		source(class, "00", publicBlob(736, k), "9C03")
		source(class, "01", crtBlob(512, k), "9000")
		source(class, "18", crtBlob(512, k), "9C10")
		source(class, "02", "01010200", "9C05")
		source(class, "02", "000102", "9C0F")
		source(class, "02", "00010200", "9C0F")
		source(class, "02", "00080200", "9C17")
		source(class, "02", "000A0200", "9C18")
		crt := crtBlob(512, k)
		source(class, "02", crt[:len(crt)-2], "9C1F")
		source(class, "03", "000103E7", "6F00")
		source(class, "03", "00010200"+"000100"+"000100", "6F00") // numbers of zero
	}
	if l.model.Version.Build == build15 {
		l.want("B032040009", "6700", command("B0320400", "01"), "9C06")
		return
	}
	l.want("84F800000700010001000101", "9000")
	for _, class := range []string{"84", "B0"} {
		nonce := nonceOf(class)
		l.want(command(class+"320400", "51515151"+toAll+nonce), "9C07",
			command("B0320400", "01"), "9C06")
		l.io(publicBlob(512, k))
		l.want(command(class+"320400", "FFFFFFFF"+toAll+nonce), "9C06")
	}
	l.want("B032040012", "6700")
}

func leadPlainPair(l *lab) {
	if l.model.Version.Build == build15 {
		return
	}
	l.want("84F8000007FFFFFFFFFFFF01", "9000")
	for _, class := range []string{"84", "B0"} {
		nonce := nonceOf(class)
		pair := func(slots, blob, want string) {
			l.io(blob)
			l.want(command(class+"32"+slots, "FFFFFFFF"+ff(12)+nonce), want)
		}
		pair("0203", pairBlob(512, smallKey()), "9000")
		require.Equal(l.t, make([]byte, 16), l.read("FFFFFFFF", 16), "the source is zeroed")
		pair("0204", pairBlob(512, smallKey()), "9C1E")
		pair("0518", pairBlob(512, smallKey()), "6F00")
		pair("0506", "00090200"+"3010020100300D06092A864886F70D0101020500", "9C21")
		pair("0506", "00090200"+"00", "9CD0")
	}
}

func leadPlainDER(l *lab) {
	if l.model.Version.Build == build15 {
		return
	}
	l.want("84F8000007FFFFFFFFFFFF01", "9000")
	for _, class := range []string{"B0", "84"} {
		for _, c := range []struct{ der, want string }{
			{"00", "9CD0"}, {"3010020100300D06092A864886F70D0101020500", "9C21"},
		} {
			l.io("00090200" + c.der)
			l.want(command(class+"320506", "FFFFFFFF"+ff(12)+nonceOf(class)), c.want)
		}
	}
}

func leadWrapped(l *lab) {
	k := smallKey()
	kcv := "010203"
	good := l.imported("1203", "81", "FFFFFFFF", "", iv)
	l.want(l.imported("9203", "81", "FFFFFFFF", "", iv), "9C10", "840A120306FFFFFFFF8110", "6700",
		"840A1203"+"07"+"FFFFFFFF"+"8108AA", "9C1A", good[:len(good)-18]+"00", "6700",
		l.imported("1203", "81", "FFFFFFFF", kcv, iv), "9C20",
		l.imported("1203", "81", "51515151", "", iv), "9C07")
	l.create("41414141", "0001FFFFFFFF", "00")
	l.want(l.imported("1203", "81", "41414141", "", iv), "9C06")
	check := "9C20"
	if l.model.Version.Build == build15 {
		check = "9C05"
	}
	l.want(l.imported("1203", "81", "FFFFFFFF", "0102", iv), check)
	l.io(encrypted(l.t, pairBlob(512, k)))
	l.want(good, "9000", "B03A00000B", "=0203030200"+"000040000002"+"9000")
	// A key that only its user may write.
	if l.model.Version.Build != build15 {
		l.io(publicBlob(512, k))
		l.want(command("84320500", "FFFFFFFF0001"+"00010001"), "9000",
			l.imported("0504", "81", "FFFFFFFF", "", iv), "9C06")
	}
}

func leadWrappedContent(l *lab) {
	k := smallKey()
	from := func(slots, blob, want string) {
		l.io(blob)
		l.want(l.imported(slots, "81", "FFFFFFFF", "", iv), want)
	}
	crt := crtBlob(512, k)
	from("1203", "01090200"+ff(15), "6F00")
	from("1203", "010902", "9C0F")
	from("1203", "02090200", "9C0F")
	from("1203", pairBlob(512, k), "9000") // plain, with the buffer starting with 00
	from("1204", pairBlob(512, k), "9C1E")
	from("1203", encrypted(l.t, pairBlob(736, k)), "9C03")
	from("1405", encrypted(l.t, "00090200FFFF"), "9C22")
	from("1405", encrypted(l.t, "00090200"+"300002010030000000"), "9C21")
	from("1405", encrypted(l.t, "000902003000020000"), "9CD0")
	from("1405", encrypted(l.t, "0008020000"), "9C17")
	from("1405", encrypted(l.t, "00FF020000"), "9C18")
	from("1405", crt[:len(crt)-8], "9C1F")
	from("1405", encrypted(l.t, crt), "9000")
	from("1607", encrypted(l.t, publicBlob(512, k)), "9000")
	from("1809", encrypted(l.t, "000903E730"), "6F00")
	l.want("84F800000700010001000101", "9000")
	from("1809", encrypted(l.t, pairBlob(512, k)), "9C06")
	if l.model.Version.Build != build15 {
		return
	}
	l.want("84F8000007FFFFFFFFFFFF01", "9000")
	for _, c := range []struct{ algorithm, slots, blob string }{
		{"88", "1809", kwpBlob(l.t, pairBlob(512, k))}, {"89", "1A0B", cbcBlob(l.t, pairBlob(512, k))},
	} {
		l.io(c.blob)
		l.want(l.imported(c.slots, c.algorithm, "FFFFFFFF", "", iv+iv), "9000")
		l.io("01090200" + ff(32))
		l.want(l.imported(c.slots, c.algorithm, "FFFFFFFF", "", iv), "9C22")
	}
}

func ff(n int) string { return strings.Repeat("FF", n) }

func leadEnrollment(l *lab) { leadEnroll(l, "0C", 512, 736, 999) }

func leadCurves(l *lab) {
	leadEnroll(l, "0D", 256, 384, 255)
	l.want(strings.Replace(l.enroll("0D", "0405", 256), "1780", "1704", 1), "9C17")
}

// leadEnroll takes an enrollment through its answers, with two sizes of keys and one that there is not.
func leadEnroll(l *lab, ins string, bits, other, none int) {
	good := l.enroll(ins, "1203", bits)
	length, check := "9C20", "9C20"
	if l.model.Version.Build == build15 {
		length, check = "9C1A", "9C05"
		if ins == "0C" {
			l.want(strings.Replace(good, "1780", "1781", 1), "0009")
		}
		l.domain.dek, l.domain.spare = l.domain.spare, l.domain.dek
		l.want(good, "9C20") // no key to decrypt with
		l.domain.dek, l.domain.spare = l.domain.spare, l.domain.dek
	}
	l.want(l.enroll(ins, "9203", bits), "9C10", good[:8]+"16"+good[10:len(good)-2], "6700",
		good[:20]+"0F"+good[22:], length, good[:len(good)-2]+"01", check,
		good, "9000", l.enroll(ins, "1203", bits), "9000", l.enroll(ins, "1203", other), "9C03",
		l.enroll(ins, "1204", bits), "9C1E", l.enroll(ins, "1404", bits), "9C1E",
		l.enroll(ins, "1405", none), "6F00", l.enroll(ins, "1405", 0), "9C03",
		// Cleared slots keep their key-pair object, with its size and roles.
		"84550000020405", "9000", l.enroll(ins, "1203", other), "6F00", "84550000020405", "9000",
		l.enroll(ins, "1302", bits), "9C03",
		"84F800000700010001000101", "9000", l.enroll(ins, "1607", bits), "9C06")
}

// private makes slots 2 and 3 an RSA pair of 512 bits for anybody.
func (l *lab) private() {
	l.t.Helper()
	l.io(encrypted(l.t, pairBlob(512, smallKey())))
	l.want(l.imported("F203", "81", "FFFFFFFF", "", iv), "9000")
}

func leadCrypt(l *lab) {
	l.private()
	small := "00" + strings.Repeat("5A", 63)
	for _, class := range []string{"84", "B0"} {
		nonce := nonceOf(class)
		do := func(slot, op, data, want string) { l.want(command(class+"36"+slot+op, data+nonce), want) }
		do("05", "04", "0003010000", "9C10")
		do("18", "04", "0003010000", "9C10")
		do("02", "05", "0003010000", "9C11")
		do("02", "04", "0003", "6700")
		do("02", "04", "0003030040"+small, "9C16")
		do("02", "04", "000301003F"+small[2:], "9C19")
		do("02", "04", "0001010040"+small, "9C13")
		do("02", "04", "0005010040"+small, "9C14")
		do("02", "04", "0103010040"+small, "9C1B")
		do("02", "04", "0203010040"+small, "9C1C")
		do("02", "04", "0003010040"+ff(64), "6F00")
		do("02", "04", "0003010040"+small, "9000")
		do("02", "04", "0004010040"+small, "9000")
		do("02", "01", "0003010000", "9000")
		do("02", "02", "010040"+small, "9C17")
		do("02", "03", "010040"+small, "9000")
		do("02", "03", "010040"+small, "9C0B")
	}
	l.want("B036020408", "6700")
	l.want(l.enroll("0C", "0000", 512), "9000", l.imported("1405", "81", "51515151", "", iv), "9C07")
	l.io(encrypted(l.t, crtBlob(512, smallKey())))
	l.want(l.imported("1405", "81", "FFFFFFFF", "", iv), "9000")
	l.want(command("B0360404", "0003010040"+small+"Z"), "9C06",
		command("84360404", "0003010040"+small), "9C06")
}

// leadSelfCheck has private keys whose mates are missing, unusable, and of another size.
func leadSelfCheck(l *lab) {
	k := smallKey()
	small := "00" + strings.Repeat("5A", 63)
	both := func(want string) {
		l.want(command("B0360404", "0003010040"+small+"Z"), want, command("84360404", "0003010040"+small),
			want, command("84360404", "0004010040"+small), "9000")
	}
	from := func(slots, blob, want string) {
		l.io(encrypted(l.t, blob))
		l.want(l.imported(slots, "81", "FFFFFFFF", "", iv), want)
	}
	from("F405", crtBlob(512, k), "9000")
	both("6F00") // never built
	from("F504", "00010200FFFF", "9C0F")
	missing := "6F00"
	if l.model.Version.Build == build15 {
		missing = "0002"
	}
	both(missing) // built without a key
	from("F504", publicBlob(1024, fullKey())[:8]+publicBlob(512, k)[8:], "9000")
	both("9CFF")
}

func leadComputeEC(l *lab) {
	for _, ins := range []string{"37", "38"} {
		l.want(command("B0"+ins+"0204", "Z"), "6D00", command("84"+ins+"0204", "00"), "6D00")
	}
	l.private()
	digest, own := strings.Repeat("5A", 20), l.ownPoint()
	l.want(l.enroll("0D", "0607", 256), "9000", l.enroll("0D", "F809", 256), "9000",
		"8455000006020304050607", "9000") // slot 8 is cleared
	for _, ins := range []string{"37", "38"} {
		for _, class := range []string{"84", "B0"} {
			nonce := nonceOf(class)
			do := func(slot, op, data, want string) {
				l.want(command(class+ins+slot+op, data+nonce), want)
			}
			do("04", "04", "010014"+digest, "9000")
			do("04", "04", "010041"+own, "9000")
			do("10", "04", "010014"+digest, "9C10")
			do("06", "04", "010014"+digest, "9C06")
			do("04", "01", "010014"+digest, "9C11")
			do("04", "04", "", "6700")
			do("04", "04", "01", "6700")
			do("04", "04", "030014"+digest, "9C16")
			do("04", "04", "010000", "9C19")
			do("04", "04", "01FFFF", "9C19")
			do("04", "04", "010042"+ff(66), "9C19")
			do("02", "04", "010014"+digest, "9C17")
			do("08", "04", "010014"+digest, "6F00")
			do("04", "04", "010041"+"04"+ff(64), "9C0F")
		}
		l.want(command("B036"+"0404", "000301"+"0014"+digest+"Z"), "9C17")
		l.io("0014" + digest)
		l.want(command("B0"+ins+"0404", "02Z"), "=9000")
	}
}

// ownPoint makes slots 4 and 5 a pair on P-256 for anybody and gives its point.
func (l *lab) ownPoint() string {
	l.t.Helper()
	l.want(l.enroll("0D", "F405", 256), "9000")
	b := l.read("FFFFFFFF", 73)
	require.NoError(l.t, pubkey.CheckPoint(256, b[8:73]))
	return upper(b[8:73])
}

func leadClear(l *lab) {
	l.private()
	l.want("84550000020203", "9000", "8455000000", "9C0F", "84550000020202", "9C1E", "84550000021819",
		"6F00", "84550100020203", "9C10", "84550001020203", "9C11")
	if l.model.Version.Build == build15 {
		l.want(l.enroll("0C", "1607", 512), "9000")
		return
	}
	l.io(publicBlob(512, smallKey()))
	l.want(command("84320500", fmt.Sprintf("FFFFFFFF%s", "000100010001")), "9000",
		"84550000020203", "9C06", l.enroll("0C", "1506", 512), "9C06", l.enroll("0D", "1506", 256), "9C06")
}

func leadChannel(l *lab) {
	want, r := "6D00", "6D00"
	if l.model.Version.Build == build15 {
		want = "9000"
	}
	l.want("847800030"+"0", r, "847A100100", r)
	l.domain.rmac = true
	l.want("8478000300", want, "847A100100", want)
}
