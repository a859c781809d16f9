@content
Feature: CoolKey: objects and the buffer
  Applies: keys and coolkey

  Background:
    Given the applet is on the card, with room
    And a channel to the applet at level "01"
    And PIN 0 is "1234" with 3 tries

  @coolkey-3.1 @must
  Scenario: CK-38 The nonce is checked before parameters
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9000 |
    Then the card answers these commands:
      | B0560000 09 41414141 00000000 01                  | 9C06 |
      | B0560100 11 41414141 00000000 01 0102030405060708 | 9C06 |

  @coolkey-8.4 @must
  Scenario: CK-39 READ OBJECT has one length
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9000 |
    Then the card answers these commands:
      | B0560000 [41414141 00000000 {zero 8}]      | 9C0F |
      | B0560000 [41414141 00000000 0100 {zero 8}] | 9C0F |

  @coolkey-8.4 @must
  Scenario: CK-40 READ OBJECT checks offset and length
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9000 |
    Then the card answers these commands:
      | B0560000 [41414141 0000000F 02 {zero 8}] | 9C0F |
      | B0560000 [41414141 00000010 00 {zero 8}] | 9000 |
      | B0560000 [41414141 00000011 00 {zero 8}] | 9C0F |
      | B0560000 [41414141 00008000 00 {zero 8}] | 9C0F |
      | B0560000 [41414141 00010000 01 {zero 8}] | 9000 |

  @coolkey-3 @must
  Scenario: CK-41 Reading needs the right identity
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 40004000FFFF] | 9000 |
    Then the card answers these commands:
      | 845A0000 [42424242 00000010 00010001FFFF] | 9000 |
    Given the holder has logged in
    Then the card answers these commands:
      | B0560000 [51515151 00000000 01 {zero 8}] | 9C07 |
      | B0560000 [41414141 00000000 01 {zero 8}] | 9C06 |
      | B0560000 [41414141 00000000 01 {nonce}]  | 9C06 |
      | 84560000 [42424242 00000000 01]          | 9C06 |

  @coolkey-3 @must
  Scenario: CK-42 An object for the anonymous is not for holders
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 80008000FFFF] | 9000 |
    Given the holder has logged in
    Then the card answers these commands:
      | B0560000 [41414141 00000000 01 {zero 8}] | 9000 |
      | B0560000 [41414141 00000000 01 {nonce}]  | 9C06 |

  @coolkey-8.3 @must
  Scenario: CK-43 CREATE OBJECT checks length, P1 and size
    Then the card answers these commands:
      | 845A0000 0D 4141414100000010FFFFFFFFFF     | 9C0F |
      | 845A0000 0F 4141414100000010FFFFFFFFFFFFFF | 9C0F |
      | 845A0100 0E 4141414100000010FFFFFFFFFFFF   | 9C10 |
      | 845A00FF 0E 4141414100000010FFFFFFFFFFFF   | 9000 |
      | 845A0000 [42424242 00000000 FFFFFFFFFFFF]  | 9C0F |
      | 845A0000 [42424242 00008000 FFFFFFFFFFFF]  | 9C01 |
      | 845A0000 [42424242 00010000 FFFFFFFFFFFF]  | 9C01 |
      | 845A0000 [42424242 00001388 FFFFFFFFFFFF]  | 9C01 |

  @coolkey-8.3 @must
  Scenario: CK-45 Creating needs the right
    Given the holder has logged in
    Then the card answers these commands:
      | B05A0000 [41414141 00000010 FFFFFFFFFFFF {zero 8}] | 9C06 |
      | B05A0000 [41414141 00000010 FFFFFFFFFFFF {nonce}]  | 9C06 |
      | B05A0000 07 01020304050607                         | 9C06 |

  @coolkey-9 @must
  Scenario: CK-46 The buffer has 900 bytes in the older line
    Applies: appletline == 14
    Then the card answers these commands:
      | 845A0000 [FFFFFFFF 00000384 FFFFFFFFFFFF] | 9000 |
      | 845A0000 [FFFFFFFF 00000385 FFFFFFFFFFFF] | 9C01 |

  @coolkey-8.1 @must
  Scenario: CK-47 An object takes its size and 16 bytes
    Then the card answers these commands:
      | 845A0000 [41414141 00000064 FFFFFFFFFFFF] | 9000 |
      | B03C000010                                | 9000 =0101 01 {applet line} 00001388 00001312 01 00 0000 |
      | 845A0000 [42424242 00001305 FFFFFFFFFFFF] | 9C01 |
      | 845A0000 [41414141 00001379 FFFFFFFFFFFF] | 9C01 |
      | B0560000 [41414141 00000000 01 {zero 8}]  | 9C07 |

  @coolkey-8.5 @must
  Scenario: CK-48 WRITE OBJECT checks offset and length
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9000 |
    Then the card answers these commands:
      | B0540000 [41414141 0000000F 02 AABB {zero 8}] | 9C0F |
      | B0540000 [41414141 00000010 00 {zero 8}]      | 9000 |
      | B0540000 [41414141 00010000 01 AA {zero 8}]   | 9000 |

  @coolkey-9 @must
  Scenario: CK-49 The end of the buffer in the older line
    Applies: appletline == 14
    Then the card answers these commands:
      | B0540000 [FFFFFFFF 00000383 01 AA {zero 8}] | 9000 |
      | B0560000 [FFFFFFFE 00000383 01 {zero 8}]    | 9000 =AA |
      | B0540000 [FFFFFFFF 00000384 01 AA {zero 8}] | 6F00 |

  @coolkey-8.5 @must
  Scenario: CK-50 A shorter write shortens the buffer
    Then the card answers these commands:
      | B0540000 [FFFFFFFF 00000000 04 AABBCCDD {zero 8}] | 9000 |
      | B0540000 [FFFFFFFF 00000000 01 EE {zero 8}]       | 9000 |
      | B0560000 [FFFFFFFF 00000000 04 {zero 8}]          | 9C0F |

  @coolkey-9 @must
  Scenario: CK-51 A selection clears the buffer, and leaves its size
    Then the card answers these commands:
      | B0540000 [FFFFFFFF 00000000 02 AABB {zero 8}] | 9000 |
    When the applet is selected again
    Then the card answers these commands:
      | B0560000 [FFFFFFFF 00000000 02 {zero 8}] | 9000 =0000 |
      | B0560000 [FFFFFFFF 00000000 03 {zero 8}] | 9C0F |

  @coolkey-8.6 @must
  Scenario: CK-53 DELETE OBJECT checks parameters, and deletes once
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9000 |
    Then the card answers these commands:
      | B0520100 [41414141 {zero 8}]             | 9C10 |
      | B0520002 [41414141 {zero 8}]             | 9C11 |
      | B0520000 [41414141 00 {zero 8}]          | 9C0F |
      | B0520000 [41414141 {zero 8}]             | 9000 |
      | B0520000 [41414141 {zero 8}]             | 9C07 |
      | B0520000 [FFFFFFFF {zero 8}]             | 9000 |
      | B0560000 [FFFFFFFF 00000000 01 {zero 8}] | 9C0F |

  @coolkey-4 @must
  Scenario: CK-54 The newest object comes first
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9000 |
    Then the card answers these commands:
      | 845A0000 [42424242 00000010 FFFFFFFFFFFF] | 9000 |
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9000 |
    Then the card answers these commands:
      | B05800000E | 9000 =41414141 00000010 FFFFFFFFFFFF |
      | B05801000E | 9000 =42424242 00000010 FFFFFFFFFFFF |
      | B05801000E | 9C12 |

  @coolkey-8.3 @beyond
  Scenario: CK-86 Sizes that overflow break nothing
    Applies: virtual
    Then the card answers these commands:
      | 845A0000 [41414141 00007FF0 FFFFFFFFFFFF] | 9C01 |
      | 845A0000 [41414141 00007FFF FFFFFFFFFFFF] | 9C01 |
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9000 |
      | B0560000 [41414141 00000000 01 {zero 8}]  | 9000 =00 |
