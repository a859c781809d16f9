@content
Feature: CoolKey: access rules that can be changed
  Applies: keys and coolkey

  Background:
    Given the applet is on the card, with room, and its access rules can be changed
    And a channel to the applet at level "01"
    And PIN 0 is "1234" with 3 tries

  @coolkey-8.3 @must
  Scenario: CK-44 An object that exists is replaced by the RA alone
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 00000000FFFF] | 9000 |
    Then the card answers these commands:
      | 845A0000 [41414141 00000010 00000000FFFF] | 9000 |
    Then the card answers these commands:
      | 84F80000 07 FFFF4000400001                         | 9000 |
      | B05A0000 [41414141 00000010 FFFFFFFFFFFF {zero 8}] | 9C08 |

  @coolkey-5.2 @must
  Scenario: CK-83 Access rules that can be changed take the RA's rights away
    Then the card answers these commands:
      | 84F80000 07 00010001000101                | 9000 |
      | 845A0000 [41414141 00000010 FFFFFFFFFFFF] | 9C06 |
      | B0F2000004                                | 9000 =07030101 |
