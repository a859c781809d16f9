Feature: EXTERNAL AUTHENTICATE

  @gpcs-E.5.2 @must
  Scenario: EXA-01 The right cryptogram opens a channel
    Applies: keys
    When the host asks for a handshake
    And the host authenticates at level "01"
    Then the card answers 9000
    And the answer is empty
    And the channel still works

  @gpcs-E.5.2.6 @must @negative @tries
  Scenario: EXA-02 A wrong host cryptogram is refused, with its right MAC
    Applies: keys
    When the host asks for a handshake
    And the host authenticates at level "01" with a wrong cryptogram
    Then the card refuses it with 6300
    And commands need a channel
    And nothing has changed

  @gpcs-E.3.2 @must @negative @tries
  Scenario: EXA-03 A wrong MAC is refused, with the right host cryptogram
    Applies: keys
    The text fixes the status word of a wrong cryptogram alone.
    When the host asks for a handshake
    And the host authenticates at level "01" with a wrong MAC
    Then the card refuses it with 6982, tolerated 6300 or 6988
    And commands need a channel
    And nothing has changed

  @gpcs-E.5.2.1 @must @negative @tries
  Scenario: EXA-04 Authentication needs INITIALIZE UPDATE before it
    Applies: keys
    Given the card was reset
    When the host sends "84820100 [{random 16}]"
    Then the card refuses it with 6985, tolerated 6982
    And commands need a channel
    And nothing has changed

  @gpcs-E.5.2.1 @policy @negative @tries
  Scenario: EXA-05 The same authentication does not count twice
    Applies: keys
    When the host asks for a handshake
    And the host authenticates at level "01"
    And the host sends the last authentication again
    Then the card refuses it with 6985, tolerated 6982
    And nothing has changed

  @gpcs-E.1.2 @must @negative @tries
  Scenario: EXA-06 After a failure the process starts from INITIALIZE UPDATE
    Applies: keys
    When the host asks for a handshake
    And the host authenticates at level "01" with a wrong cryptogram
    Then the card refuses it
    When the host authenticates at level "01"
    Then the card refuses it with 6985, tolerated 6982 or 6300
    And commands need a channel
    And nothing has changed

  @gpcs-E.1.2.1 @must @negative @tries
  Scenario: EXA-07 A recorded authentication does not open another session
    Applies: keys
    When the host asks for a handshake
    And the host authenticates at level "01"
    Then the card answers 9000
    When the host asks for a handshake
    And the host sends the last authentication again
    Then the card refuses it with 6300, tolerated 6982
    And commands need a channel
    And nothing has changed

  @gpcs-E.5.2.3 @policy @negative @tries
  Scenario: EXA-08 Encryption without MAC is no security level
    Applies: keys
    When the host asks for a handshake
    And the host authenticates at level "02"
    Then the card refuses it with 6A86, tolerated 6985 or 6982
    And commands need a channel
    And nothing has changed

  @gpcs-E.5.2.4 @policy @negative @tries
  Scenario: EXA-09 P2 other than 00 is refused
    Applies: keys
    When the host asks for a handshake
    And the host authenticates with P2 "01"
    Then the card refuses it with 6A86, tolerated 6300 or 6982
    And commands need a channel
    And nothing has changed

  @gpcs-11.1.3 @must @negative @tries
  Scenario: EXA-10 Data of 15 or 17 bytes are refused
    Applies: keys
    When the host asks for a handshake
    And the host authenticates with 15 bytes of data
    Then the card refuses it with 6700, tolerated 6A80
    When the host asks for a handshake
    And the host authenticates with 17 bytes of data
    Then the card refuses it with 6700, tolerated 6A80
    And commands need a channel
    And nothing has changed

  @gpcs-E.5.2.2 @policy @negative @tries
  Scenario: EXA-11 Authentication has the class of secure messaging
    Applies: keys
    When the host asks for a handshake
    And the host authenticates without the secure messaging class
    Then the card refuses it with 6E00, tolerated 6982 or 6985
    And commands need a channel
    And nothing has changed

  @gpcs-7.5.1 @policy @tries
  Scenario: EXA-12 After three failures the right keys still open a channel
    Applies: keys
    When the host asks for a handshake
    And the host authenticates at level "01" with a wrong cryptogram
    And the host asks for a handshake
    And the host authenticates at level "01" with a wrong cryptogram
    And the host asks for a handshake
    And the host authenticates at level "01" with a wrong cryptogram
    And the host asks for a handshake
    And the host authenticates at level "01"
    Then the card answers 9000

  @gpcs-E.3.2 @must @negative @tries
  Scenario: EXA-13 The chaining value of the first MAC is zero
    Applies: keys
    When the host asks for a handshake
    And the host authenticates with a MAC made over an initial value of its own
    Then the card refuses it with 6982, tolerated 6300 or 6988
    And commands need a channel
    And nothing has changed
