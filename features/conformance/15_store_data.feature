Feature: STORE DATA

  @gpcs-11.11.2.3 @must @irreversible
  Scenario: STO-01 A data object that is stored can be read
    Applies: keys and life < 127
    Given a secure channel at level "01"
    When the host sends "80E29000 [42 [A1B2C3D4E5]]" in the channel
    Then the card answers 9000
    When the host sends "80CA004200" in the channel
    Then the card answers 9000
    And the answer is "42 [A1B2C3D4E5]"

  @gpcs-11.11.2.3 @conditional @irreversible
  Scenario: STO-02 Data objects may come in a data grouping
    Applies: keys and version >= 211 and life < 127
    Given a secure channel at level "01"
    When the host sends "80E28800 [0070 [45 [0102030405]]]" in the channel
    Then the card answers 9000
    When the host sends "80CA004500" in the channel
    Then the answer is "45 [0102030405]"

  @gpcs-11.11.2.3 @must @negative @irreversible
  Scenario: STO-03 Data that the card makes itself cannot be stored
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E29000 [C1 [0000]]" in the channel
    Then the card refuses it with 6A80, tolerated 6985 or 6A88
    When the host sends "80E29000 [C2 [0000]]" in the channel
    Then the card refuses it with 6A80, tolerated 6985 or 6A88
    When the host sends "80E29000 [FF21 [820100]]" in the channel
    Then the card refuses it with 6A80, tolerated 6985 or 6A88
    And the channel still works
    And nothing has changed

  @gpcs-11.11.2.2 @must @negative @irreversible
  Scenario: STO-04 A block that is skipped is refused
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E21000 [4205]" in the channel
    Then the card answers 9000
    When the host sends "80E29002 [A1B2C3D4E5]" in the channel
    Then the card refuses it
    And the channel still works
    And nothing has changed

  @gpcs-11.11.2.2 @must @irreversible
  Scenario: STO-05 After an error blocks start anew
    Applies: keys and life < 127
    Given a secure channel at level "01"
    When the host sends "80E21000 [4205]" in the channel
    And the host sends "80E29002 [A1B2C3D4E5]" in the channel
    Then the card refuses it
    When the host sends "80E29000 [42 [5A5A]]" in the channel
    Then the card answers 9000
    When the host sends "80CA004200" in the channel
    Then the answer is "42 [5A5A]"

  @gpcs-11.11.2.3 @must @irreversible
  Scenario: STO-06 A value may span two commands
    Applies: keys and life < 127
    Given a secure channel at level "01"
    When the host sends "80E21000 [4205A1B2]" in the channel
    Then the card answers 9000
    When the host sends "80E29001 [C3D4E5]" in the channel
    Then the card answers 9000
    When the host sends "80CA004200" in the channel
    Then the answer is "42 [A1B2C3D4E5]"

  @gpcs-11.11 @must @negative
  Scenario: STO-09 STORE DATA needs a channel
    When the host sends "80E29000 [4205A1B2C3D4E5]"
    Then the card refuses it with 6982
    And nothing has changed

  @gpcs-11.11.3.2 @conditional @negative @irreversible
  Scenario: STO-10 A value that is too long is refused
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E29000 [42 8180 {zero 128}]" in the channel
    Then the card refuses it with 6A84, tolerated 6A80
    And the channel still works
    And nothing has changed

  @gpcs-11.11.2.3 @must @negative @irreversible
  Scenario: STO-11 Data objects that do not add up are refused whole
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E29000 [4202AABB 4505AABB]" in the channel
    Then the card refuses it with 6A80, tolerated any error
    And the channel still works
    And nothing has changed

  @gpcs-11.11.2.3 @conditional @negative @irreversible
  Scenario: STO-12 A data grouping of another length is refused whole
    Applies: keys and version >= 211 and life < 127
    Given a secure channel at level "01"
    When the host sends "80E28800 [0070 03 450101 AABB]" in the channel
    Then the card refuses it with 6A80, tolerated any error
    When the host sends "80E28800 [0070 09 450101]" in the channel
    Then the card refuses it with 6A80, tolerated any error
    And the channel still works
    And nothing has changed
