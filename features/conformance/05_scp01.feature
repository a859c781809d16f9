Feature: Secure channel protocol 01

  @gp211-D.4.1.6 @must
  Scenario: SC1-01 The handshake names SCP01 and gives a challenge of 8 bytes
    Applies: scp == 1
    When the host asks for a handshake
    Then the handshake names protocol "01" and has a challenge of 8 bytes

  @gp211-D.3.1 @must
  Scenario: SC1-02 Session keys come from both challenges
    Applies: scp == 1 and keys
    When the host asks for a handshake
    Then the card's cryptogram is right

  @gp211-D.3.2 @must
  Scenario: SC1-03 Cryptograms are full triple DES MACs over both challenges
    Applies: scp == 1 and keys
    When the host asks for a handshake
    Then the card's cryptogram is right
    When the host authenticates at level "00"
    Then the card answers 9000

  @gp211-D.3.3 @must
  Scenario: SC1-04 The first C-MAC starts from zero
    Applies: scp == 1 and keys
    When the host asks for a handshake
    And the host authenticates at level "01"
    Then the card answers 9000
    And the channel still works

  @gp211-D.1.1 @conditional @negative
  Scenario: SC1-05 With i 05 the next MAC starts from the last one as it is
    Applies: scp == 1 and i == 5 and keys
    Given a secure channel at level "01"
    Then the channel still works
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel as SCP01 with i "15" would
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @gp211-D.1.5 @conditional @negative
  Scenario: SC1-06 With i 15 the next MAC starts from the last one encrypted
    Applies: scp == 1 and i == 21 and keys
    Given a secure channel at level "01"
    Then the channel still works
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel as SCP01 with i "05" would
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @gp211-D.3.4 @must
  Scenario: SC1-07 At level 03 data are encrypted with their length in front
    Applies: scp == 1 and keys
    Given a secure channel at level "03"
    When the host asks for the status of the issuer security domain in the channel
    Then the card answers 9000
    And the channel still works

  @gp211-D.3.4 @must
  Scenario: SC1-08 At level 03 a command without data is not encrypted
    Applies: scp == 1 and keys
    Given a secure channel at level "03"
    When the host sends "80CA9F7F00" in the channel
    Then the card answers 9000 or 6A88
    And the channel still works

  @gp211-D.4.2.3 @must @negative @tries
  Scenario: SC1-09 SCP01 knows the levels 00, 01 and 03 alone
    Applies: scp == 1 and keys
    When the host asks for a handshake
    And the host authenticates at level "11"
    Then the card refuses it with 6A86, tolerated 6985 or 6982
    When the host asks for a handshake
    And the host authenticates at level "33"
    Then the card refuses it with 6A86, tolerated 6985 or 6982
    And commands need a channel
    And nothing has changed

  @gp211-D.3.5 @must @keys
  Scenario: SC1-10 Keys come encrypted by the card's own data encryption key
    Applies: scp == 1 and keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    And the test keys open a channel
