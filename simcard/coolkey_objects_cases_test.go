package simcard_test

import "github.com/stretchr/testify/require"

var objectCases = []differential{
	{38, "the nonce is checked first", func(c *caseCard) {
		c.object("41414141", "FFFFFFFF")
		c.want("B056000009414141410000000001", "9C06",
			"B0560100114141414100000000010102030405060708", "9C06")
	}},
	{39, "read lengths", func(c *caseCard) {
		c.object("41414141", "FFFFFFFF")
		c.want("B0560000104141414100000000Z", "9C0F", "B056000012414141410000000001AAZ", "9C0F")
	}},
	{40, "read ranges", func(c *caseCard) {
		c.object("41414141", "FFFFFFFF")
		c.want("B056000011414141410000000F02Z", "9C0F", "B056000011414141410000001000Z", "=9000",
			"B056000011414141410000001100Z", "9C0F", "B056000011414141410000800001Z", "9C0F",
			"B056000011414141410001000001Z", "9000")
	}},
	{41, "read access", func(c *caseCard) {
		c.object("41414141", "40004000")
		c.object("42424242", "00010001")
		c.logIn()
		c.want(readOne("51515151")+"Z", "9C07", readOne("41414141")+"Z", "9C06",
			readOne("41414141")+"N", "9C06", "845600000942424242"+"0000000001", "9C06")
	}},
	{42, "an object for the anonymous", func(c *caseCard) {
		c.object("41414141", "80008000")
		c.logIn()
		c.want(readOne("41414141")+"Z", "9000", readOne("41414141")+"N", "9C06")
	}},
	{43, "create object", func(c *caseCard) {
		c.want("845A00000D4141414100000010FFFFFFFFFF", "9C0F",
			"845A00000F4141414100000010FFFFFFFFFFFFFF", "9C0F",
			"845A01000E4141414100000010FFFFFFFFFFFF", "9C10",
			"845A00FF0E4141414100000010FFFFFFFFFFFF", "9000",
			create("42424242", 0, "FFFFFFFFFFFF"), "9C0F",
			create("42424242", 0x8000, "FFFFFFFFFFFF"), "9C01",
			create("42424242", 0x10000, "FFFFFFFFFFFF"), "9C01",
			create("42424242", 5000, "FFFFFFFFFFFF"), "9C01")
	}},
	{44, "create an object that exists", func(c *caseCard) {
		c.object("41414141", "00000000")
		c.object("41414141", "00000000")
		require.Equal(c.t, 4998-32, c.free())
		c.want("84F8000007FFFF40004000"+"01", "9000",
			"B05A0000164141414100000010FFFFFFFFFFFFZ", "9C08")
	}},
	{45, "create without the right", func(c *caseCard) {
		c.logIn()
		c.want("B05A0000164141414100000010FFFFFFFFFFFFZ", "9C06",
			"B05A0000164141414100000010FFFFFFFFFFFFN", "9C06", "B05A000007"+"01020304050607", "9C06")
	}},
	{46, "create the buffer", func(c *caseCard) {
		c.want(create("FFFFFFFF", 0x384, "FFFFFFFFFFFF"), "9000",
			create("FFFFFFFF", 0x385, "FFFFFFFFFFFF"), "9C01")
	}},
	{47, "memory", func(c *caseCard) {
		require.Equal(c.t, 4998, c.free())
		c.want(create("41414141", 100, "FFFFFFFFFFFF"), "9000")
		require.Equal(c.t, 4998-116, c.free())
		c.want(create("42424242", 4869, "FFFFFFFFFFFF"), "9C01",
			create("41414141", 4985, "FFFFFFFFFFFF"), "9C01", readOne("41414141")+"Z", "9C07")
		require.Equal(c.t, 4998, c.free())
	}},
	{48, "write object", func(c *caseCard) {
		c.object("41414141", "FFFFFFFF")
		c.want("B054000013414141410000000F02AABBZ", "9C0F", "B054000011414141410000001000Z", "9000",
			"B054000012414141410000000004AAZ", "9000", "B054000012414141410001000001AAZ", "9000")
	}},
	{49, "write the buffer's end", func(c *caseCard) {
		c.want("B054000012FFFFFFFF0000038301AAZ", "9000", "B056000011FFFFFFFE0000038301Z", "=AA9000",
			"B054000012FFFFFFFF0000038401AAZ", "6F00")
	}},
	{50, "a write shortens the buffer", func(c *caseCard) {
		c.want("B054000015FFFFFFFF0000000004AABBCCDDZ", "9000",
			"B054000012FFFFFFFF0000000001EEZ", "9000", "B056000011FFFFFFFF0000000004Z", "9C0F")
	}},
	{51, "selection clears the buffer", func(c *caseCard) {
		c.want("B054000013FFFFFFFF0000000002AABBZ", "9000")
		c.reselect()
		c.want("B056000011FFFFFFFF0000000002Z", "=00009000", "B056000011FFFFFFFF0000000003Z", "9C0F")
	}},
	{52, "a wrong pin leaves traces", func(c *caseCard) {
		const look = "B056000011FFFFFFFF000002DE04Z"
		c.want(create("FFFFFFFF", 900, "FFFFFFFFFFFF"), "9000", look, "=000000009000",
			wrongPIN, "9C02")
		require.NotEqual(c.t, "000000009000", c.ask(look))
	}},
	{53, "delete object", func(c *caseCard) {
		c.object("41414141", "FFFFFFFF")
		c.want("B05201000C41414141Z", "9C10", "B05200020C41414141Z", "9C11",
			"B05200000D4141414100Z", "9C0F", "B05200000C41414141Z", "9000",
			"B05200000C41414141Z", "9C07", "B05200000CFFFFFFFFZ", "9000",
			"B056000011FFFFFFFF0000000001Z", "9C0F")
	}},
	{54, "order of objects", func(c *caseCard) {
		c.object("41414141", "FFFFFFFF")
		c.object("42424242", "FFFFFFFF")
		c.object("41414141", "FFFFFFFF")
		const tail = "00000010FFFFFFFFFFFF9000"
		c.want("B05800000E", "=41414141"+tail, "B05801000E", "=42424242"+tail, "B05801000E", "9C12")
	}},
}
