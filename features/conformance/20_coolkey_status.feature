@content
Feature: CoolKey: classes, status and life cycle
  Applies: keys and coolkey

  Background:
    Given the applet is on the card, with room
    And a channel to the applet at level "01"
    And PIN 0 is "1234" with 3 tries

  @coolkey-4 @must
  Scenario: CK-01 NOP does nothing, whatever its parameters
    Then the card answers these commands:
      | B0710000 | 9000 |
      | B071FFFF | 9000 |

  @coolkey-4 @must
  Scenario: CK-02 Unknown instructions are refused
    Then the card answers these commands:
      | B0FF0000 | 6D00 |
      | B0380000 | 6D00 |
      | B0370000 | 6D00 |
      | B02A0000 | 6D00 |

  @coolkey-2.2 @must
  Scenario: CK-03 Unknown classes are refused
    Then the card answers these commands:
      | 10710000 | 6E00 |
      | 90710000 | 6E00 |
      | B1710000 | 6E00 |

  @coolkey-2.2 @must
  Scenario: CK-04 Two classes are taken for a selection
    Then the card answers these commands:
      | 00710000                  | 9000 #0 |
      | A4000000                  | 9000 #0 |
      | 00CB3FFF 05 5C035FC107 00 | 9000 #0 |

  @coolkey-5.1 @must
  Scenario: CK-05 Production data are the card manager's
    Then the card answers these commands:
      | 80CA9F7F2D | 6D00 |

  @coolkey-4 @must
  Scenario: CK-06 GET STATUS checks P2 before P1
    Then the card answers these commands:
      | B03C0100 | 6D00 |
      | B03C0200 | 9C10 |
      | B03C0001 | 9C11 |
      | B03C0101 | 9C11 |

  @coolkey-4 @must
  Scenario: CK-07 GET STATUS answers 16 bytes
    Then the card answers these commands:
      | B03C000005 | 9000 #16 |
      | B03C000000 | 9000 #16 |

  @coolkey-4 @must
  Scenario: CK-08 GET LIFE CYCLE has two forms
    Then the card answers these commands:
      | B0F2000001 | 9000 #1 |
      | B0F2000004 | 9000 #4 |
      | B0F20000   | 9000 #4 |

  @coolkey-4 @must
  Scenario: CK-09 GET BUILD ID wants room for 4 bytes
    Then the card answers these commands:
      | B070000003 | 6700 |
      | B0700000   | 6700 |
      | B070000004 | 9000 #4 |
      | B0700000FF | 9000 #4 |

  @coolkey-4 @must
  Scenario: CK-10 LIST PINS checks length, P1 and P2
    Then the card answers these commands:
      | B048000001 | 6700 |
      | B048010002 | 9C10 |
      | B048000102 | 9C11 |

  @coolkey-4 @must
  Scenario: CK-11 LIST KEYS ends with an empty answer
    Then the card answers these commands:
      | B03A00000B | 9000 #0 |
      | B03A01000B | 9000 #0 |

  @coolkey-4 @must
  Scenario: CK-12 LIST KEYS checks its parameters
    Then the card answers these commands:
      | B03A00000C | 6700 |
      | B03A02000B | 9C10 |
      | B03A00010B | 9C11 |

  @coolkey-4 @must
  Scenario: CK-13 LIST OBJECTS ends with 9C12
    Then the card answers these commands:
      | B05800000E | 9C12 |

  @coolkey-4 @must
  Scenario: CK-14 LIST OBJECTS reads its length as a signed byte
    Then the card answers these commands:
      | B05800000D | 6700 |
      | B058000080 | 6700 |
      | B0580000FF | 6700 |

  @coolkey-4 @must
  Scenario: CK-15 GET ISSUER INFO answers 224 bytes
    Then the card answers these commands:
      | B0F60000DF | 6700 |
      | B0F60000E0 | 9000 #224 |

  @coolkey-4 @must
  Scenario: CK-16 GET BUILT-IN ACL reads its length as a signed byte
    Then the card answers these commands:
      | B0FA000006 | 6700 |
      | B0FA000080 | 6700 |
      | B0FA000008 | 9000 #7 |

  @coolkey-4 @must
  Scenario: CK-17 GET RANDOM answers as many bytes as asked
    Then the card answers these commands:
      | B072000000 | 9000 #0 |
      | B0720000FF | 9000 #255 |

  @coolkey-4 @must
  Scenario: CK-18 GET PIN TRIES checks PIN, P2 and length
    Then the card answers these commands:
      | B04A010001 | 9C10 |
      | B04A080001 | 9C10 |
      | B04A000101 | 9C11 |
      | B04A000003 | 6700 |

  @coolkey-5.1 @must
  Scenario: CK-19 Class 84 needs a channel
    Then the card answers these commands:
      | 84710000 | 6D00 |
    When the applet is selected again
    Then the card answers these commands:
      | 84710000 | 6982 |

  @coolkey-5.1 @must
  Scenario: CK-22 INITIALIZE UPDATE checks length and instruction
    Then the card answers these commands:
      | 80500000 07 01020304050607 | 6700 |
      | 80510000                   | 6D00 |

  @coolkey-5.2 @must
  Scenario: CK-81 SET LIFE CYCLE takes states of an application
    Then the card answers these commands:
      | 84F00700       | 9000 |
      | 84F00F00       | 9000 |
      | 84F01F00       | 9000 |
      | 84F07F00       | 9000 |
      | 84F00000       | 9C0F |
      | 84F00300       | 9C0F |
      | 84F00E00       | 9C0F |
      | 84F08000       | 9C0F |
      | 84F0FF00       | 9C0F |
      | 84F00F00 01 00 | 6700 |

  @coolkey-5.2 @must
  Scenario: CK-82 Built-in access rules are locked unless installed otherwise
    Then the card answers these commands:
      | 84F80000 07 40004000400000 | 9C03 |
      | 84F80000 06 400040004000   | 6700 |

  @coolkey-5.2 @must
  Scenario: CK-84 SET ISSUER INFO takes 224 bytes, with any parameters
    Then the card answers these commands:
      | 84F40000 DF FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF | 6700 |
      | 84F40000 E0 FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF | 9000 |
      | 84F4FFFF E0 FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF | 9000 |
      | B0F60000E0                                                   | 9000 =FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF |

  @coolkey-2.1 @must
  Scenario: CK-85 Extended lengths are refused
    Then the card answers these commands:
      | B0710000 000000 | 6700 |
      | B0F20000 000004 | 6700 |

  @coolkey-5.1 @must @negative @tries
  Scenario: CK-20 The older applet knows the levels 01 and 03 alone
    Applies: appletline == 14
    Given the applet is selected
    When the host asks for a handshake
    And the host authenticates at level "00"
    Then the card refuses it with 6985
    When the host asks for a handshake
    And the host authenticates at level "02"
    Then the card refuses it with 6985
    And the card's own keys open a channel
