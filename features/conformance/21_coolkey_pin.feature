@content
Feature: CoolKey: PINs and log-in
  Applies: keys and coolkey

  Background:
    Given the applet is on the card, with room
    And a channel to the applet at level "01"
    And PIN 0 is "1234" with 3 tries

  @coolkey-7.2 @must
  Scenario: CK-23 CREATE PIN checks length, number and tries
    Then the card answers these commands:
      | 84400103 03 313233                             | 9C0F |
      | 84400103 11 3132333435363738393031323334353637 | 9C0F |
      | 84400103                                       | 9C0F |
      | 84400803 04 31323334                           | 9C10 |
      | 84400003 04 31323334                           | 9C10 |
      | 84400100 04 31323334                           | 6F00 |
      | 844001FF 04 31323334                           | 6F00 |

  @coolkey-7.2 @must
  Scenario: CK-24 Holders create no PIN
    Then the card answers these commands:
      | B0400103 [31323334 {zero 8}] | 9C06 |
    Given the holder has logged in
    Then the card answers these commands:
      | B0400103 [31323334 {nonce}] | 9C06 |

  @coolkey-7.3 @must
  Scenario: CK-25 PINs of impossible length take no try
    Then the card answers these commands:
      | B0420000 03 313233 | 9C02 |
      | B042000000         | 9C02 |
      | B0420000           | 9C02 |
      | B04A000001         | 9000 =03 |

  @coolkey-7.3 @must
  Scenario: CK-26 The last wrong PIN blocks
    Then the card answers these commands:
      | B042000004 31323335 | 9C02 |
      | B042000004 31323335 | 9C02 |
      | B042000004 31323335 | 9C02 |
      | B042000004 31323334 | 9C0C |
      | B0420000 03 313233  | 9C0C |

  @coolkey-7.3 @must
  Scenario: CK-27 VERIFY PIN checks P2 and number
    Then the card answers these commands:
      | B0420001 04 31323334 | 9C11 |
      | B0420800 04 31323334 | 9C10 |
      | B0420100 04 31323334 | 9C10 |

  @coolkey-3.1 @must
  Scenario: CK-28 The nonce stays while somebody is logged in
    Given the holder has logged in
    Then the card answers these commands:
      | B042000004 31323334 | 9000 ={nonce} |

  @coolkey-7.3 @must
  Scenario: CK-29 A wrong PIN logs out
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 00010001FFFF] | 9000 |
    Given the holder has logged in
    Then the card answers these commands:
      | B0560000 [41414141 00000000 01 {nonce}] | 9000 |
      | B042000004 31323335                     | 9C02 |
      | B0560000 [41414141 00000000 01 {nonce}] | 9C06 |

  @coolkey-3.1 @must
  Scenario: CK-30 A nonce behind the PIN is part of it
    Given the holder has logged in
    Then the card answers these commands:
      | B0420000 [31323334 {nonce}] | 9C02 |

  @coolkey-7.4 @must
  Scenario: CK-31 CHANGE PIN checks its lengths
    Then the card answers these commands:
      | B0440000 0C 000431323334000435363738 | 9C0F |
      | B0440000 03 043132                   | 9C0F |
      | B0440000 0A 04313233340535363738     | 9C0F |
      | B0440000 0C 04313233340435363738FFFF | 9000 |
      | B0420000 04 35363738                 | 9000 |

  @coolkey-7.4 @must
  Scenario: CK-32 CHANGE PIN with a wrong old one takes a try and logs out
    Given the holder has logged in
    Then the card answers these commands:
      | B0440000 0A 04313233350435363738 | 9C02 |
      | B04A000001                       | 9000 =02 |
      | B0440000 0A 04313233350435363738 | 9C02 |
      | B0440000 0A 04313233350435363738 | 9C02 |
      | B0440000 0A 04313233350435363738 | 9C0C |

  @coolkey-5.2 @must
  Scenario: CK-33 SET PIN unblocks
    Then the card answers these commands:
      | 84040001 04 31323334                                         | 9C11 |
      | 84040100 04 31323334                                         | 9C10 |
      | 84040000 80 3131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131 | 6700 |
      | 84040000 03 313233                                           | 9C0F |
      | B042000004 31323335                                          | 9C02 |
      | B042000004 31323335                                          | 9C02 |
      | B042000004 31323335                                          | 9C02 |
      | B042000004 31323334                                          | 9C0C |
      | 84040000 04 31323334                                         | 9000 |
      | B04A000001                                                   | 9000 =03 |
      | B042000004 31323334                                          | 9000 |

  @coolkey-7.6 @must
  Scenario: CK-34 LOGOUT counts log-ins, and anybody may
    Given the holder has logged in
    Then the card answers these commands:
      | B0610000            | 9000 |
      | B042000004 31323334 | 9000 |
      | B042000004 31323334 | 9000 |
      | B0610000            | 9000 |
      | B0610000            | 9000 |
      | B0610000            | 9000 |
      | B0610500            | 6F00 |
      | B0618000            | 6F00 |

  @coolkey-2.4 @must
  Scenario: CK-35 The nonce outlives a selection
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 00010001FFFF] | 9000 |
    Given the holder has logged in
    When the applet is selected again
    Then the card answers these commands:
      | B0560000 [41414141 00000000 01 {nonce}] | 9000 |
      | 00A40400 [{isd}] 00                              | 9000 |
    When the applet is selected again
    Then the card answers these commands:
      | B0560000 [41414141 00000000 01 {nonce}] | 9000 |

  @coolkey-2.4 @must
  Scenario: CK-36 The nonce ends with a reset
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 00010001FFFF] | 9000 |
    Given the holder has logged in
    When the card is reset
    And the applet is selected again
    Then the card answers these commands:
      | B0560000 [41414141 00000000 01 {nonce}] | 9C06 |

  @coolkey-3 @must
  Scenario: CK-37 A wrong second PIN leaves the first one logged in
    Then the card answers these commands:
      | 84400103 04 35363738 | 9000 |
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 00010001FFFF] | 9000 |
    Then the card answers these commands:
      | 845A0000 [42424242 00000010 00020002FFFF] | 9000 |
    Given the holder has logged in
    Then the card answers these commands:
      | B0420100 04 35363738                    | 9000 ={nonce} |
      | B0560000 [42424242 00000000 01 {nonce}] | 9000 |
      | B0420100 04 35363739                    | 9C02 |
      | B0560000 [41414141 00000000 01 {nonce}] | 9000 |
      | B0560000 [42424242 00000000 01 {nonce}] | 9C06 |
