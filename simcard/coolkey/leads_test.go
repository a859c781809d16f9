package coolkey_test

import "strings"

// leads take commands to all their answers. Each starts with a card that has PIN 0 and a heap of 1000
// bytes.
var leads = []func(*lab){
	leadInformation, leadPINs, leadBlockedPIN, leadObjects, leadObjectRights, leadBuffer, leadRules,
	leadPlainImport, leadPlainPair, leadPlainDER, leadWrapped, leadWrappedContent, leadEnrollment, leadCurves,
	leadCrypt, leadSelfCheck, leadComputeEC, leadClear, leadChannel,
}

// nonceOf is what commands of a class end with: the word for the zero nonce, or nothing.
func nonceOf(class string) string {
	if class == "B0" {
		return "Z"
	}
	return ""
}

func leadInformation(l *lab) {
	l.want("B03A00000B", "=9000", "B03A00000A", "6700", "B03A02000B", "9C10", "B03A00010B", "9C11",
		"B03C0000", "9000", "B03C0100", "6D00", "B03C0200", "9C10", "B03C0001", "9C11",
		"B048000002", "=00019000", "B048000001", "6700", "B048010002", "9C10", "B048000102", "9C11",
		"B04A000001", "=039000", "B04A000002", "6700", "B04A010001", "9C10", "B04A000101", "9C11",
		"B070000004", "9000", "B070000003", "6700", "B0710000", "9000", "B072000008", "9000",
		"B073000004AABBCCDD", "9000", "B0F2000001", "9000", "B0F60000E0", "9000", "B0F60000E1", "6700",
		"B0FA000007", "9000", "B0FA000006", "6700", "84080000020000", "6D00", "8434000000", "6D00",
		"B060000000", "6D00")
}

func leadPINs(l *lab) {
	l.want("B0420000"+"04"+userPIN, "9000", "B042000004", "6700", "B0420001"+"04"+userPIN, "9C11",
		"B0420100"+"04"+userPIN, "9C10", "B0420000"+"04"+wrongPIN, "9C02",
		command("B0440000", "04"+userPIN+"04"+userPIN), "9000", "B04400000A", "6700",
		command("B0440001", "04"+userPIN+"04"+userPIN), "9C11", "B0440100020000", "9C10",
		"B0440000020000", "9C0F", command("B0440000", "04"+wrongPIN+"04"+userPIN), "9C02",
		"B0610000", "9000", "B0610100", "6F00",
		command("84400103", userPIN), "9000", command("84400103", userPIN), "9C10",
		command("84400203", "31"), "9C0F", command("84400200", userPIN), "6F00",
		command("84040000", userPIN), "9000", command("84040001", userPIN), "9C11",
		command("84040200", userPIN), "9C10", command("84040000", "31"), "9C0F",
		command("84040000", strings.Repeat("31", 128)), "6700",
		command("B0400203", userPIN+"Z"), "9C06", "B040020309", "6700",
		// Anybody may create objects, keys and PINs.
		"84F8000007FFFFFFFFFFFF01", "9000",
		command("B0400203", userPIN+"Z"), "9000", command("B0400203", userPIN+"Z"), "9C10",
		command("B0400303", "31Z"), "9C0F", command("B0400300", userPIN+"Z"), "6F00",
		// Nobody may.
		"84F800000700000000000001", "9000", command("84400403", userPIN), "9C06")
}

func leadBlockedPIN(l *lab) {
	for range 3 {
		l.want("B0420000"+"04"+wrongPIN, "9C02")
	}
	l.want("B0420000"+"04"+userPIN, "9C0C", command("B0440000", "04"+userPIN+"04"+userPIN), "9C0C")
}

func leadObjects(l *lab) {
	const id, acl = "41414141", "FFFFFFFFFFFF"
	for _, who := range []struct{ class, nonce string }{{"84", ""}, {"B0", "Z"}} {
		do := func(head, data, want string) { l.want(command(who.class+head, data+who.nonce), want) }
		l.want("84F8000007FFFFFFFFFFFF01", "9000")
		do("5A0000", id+"00000010"+acl, "9000")
		do("5A0000", id+"00008000"+acl, "9C01")
		do("5A0000", "4242424200000000"+acl, "9C0F")
		do("5A0100", "4242424200000010"+acl, "9C10")
		do("560000", id+"0000000001", "9000")
		do("560100", id+"0000000001", "9C10")
		do("560001", id+"0000000001", "9C11")
		do("560000", id+"0000001001", "9C0F")
		do("560000", "434343430000000001", "9C07")
		do("540000", id+"0000000001AA", "9000")
		do("540100", id+"0000000001AA", "9C10")
		do("540001", id+"0000000001AA", "9C11")
		do("540000", id+"0000001001AA", "9C0F")
		do("540000", "434343430000000001AA", "9C07")
		do("520100", id, "9C10")
		do("520002", id, "9C11")
		do("520000", id+"00", "9C0F")
		if who.class == "B0" {
			do("5A0000", id+"00000010"+acl, "9C08")
			l.want("B05A000010", "6700", "B056000011", "6700", "B054000011", "6700", "B05200000C", "6700")
		}
		l.want("B05800000E", "9000", "B05801000E", "9C12", "B05800000D", "6700", "B05802000E", "9C10",
			"B05800010E", "9C11")
		do("520001", id, "9000")
		do("520000", id, "9C07")
	}
}

func leadObjectRights(l *lab) {
	l.create("41414141", "4000FFFF4000", "AA")
	l.create("42424242", "FFFF40000001", "AA")
	l.create("43434343", "0001FFFFFFFF", "AA")
	l.want(command("B0560000", "414141410000000001Z"), "9C06",
		command("B0540000", "424242420000000001AAZ"), "9C06", command("B0520000", "42424242Z"), "9C06",
		command("84560000", "434343430000000001"), "9C06", command("84520000", "42424242"), "9C06",
		command("845A0000", "4444444400000001000100000000"), "9000",
		command("84540000", "444444440000000001AA"), "9C06",
		command("B05A0000", "4545454500000001FFFFFFFFFFFFZ"), "9C06",
		"84F800000700010001000101", "9000",
		command("845A0000", "4545454500000001FFFFFFFFFFFF"), "9C06", "B0F2000004", "=070301019000")
}

func leadBuffer(l *lab) {
	// A write past the buffer's end sets the size of the object, which then cannot be read whole.
	const past = "FFFFFFFF00007F0001"
	l.want(command("B0540000", past+"AAZ"), "6F00", command("B0560000", past+"Z"), "6F00",
		command("84540000", past+"AA"), "6F00", command("84560000", past), "6F00",
		command("B0540000", "FFFFFFFF00007FFF01AAZ"), "9C0F",
		command("B0560000", "FFFFFFFF0000000001Z"), "9C0F")
}

func leadRules(l *lab) {
	l.want("84F00F00", "9000", "84F00E00", "9C0F", "84F00F000100", "6700", "84F4000000", "6700",
		command("84F40000", strings.Repeat("41", 224)), "9000", "84F8000000", "6700",
		"84F800000740004000400000", "9000", "84F800000740004000400001", "9C03")
}
