Feature: Secure channel protocol 03

  @scp03-7.1.2.3 @conditional
  Scenario: SC3-01 The levels 00, 01 and 03 open a channel
    Applies: scp == 3 and keys
    When the host asks for a handshake
    And the host authenticates at level "00"
    Then the card answers 9000
    When the host asks for a handshake
    And the host authenticates at level "01"
    Then the card answers 9000
    When the host asks for a handshake
    And the host authenticates at level "03"
    Then the card answers 9000

  @scp03-5.1 @conditional @negative @tries
  Scenario: SC3-02 R-MAC levels are refused where the protocol has none
    Applies: scp == 3 and not rmac and keys
    When the host asks for a handshake
    And the host authenticates at level "11"
    Then the card refuses it with 6A86, tolerated 6985 or 6982
    When the host asks for a handshake
    And the host authenticates at level "33"
    Then the card refuses it with 6A86, tolerated 6985 or 6982
    And commands need a channel
    And nothing has changed

  @scp03-5.1 @conditional @negative @tries
  Scenario: SC3-03 R-ENCRYPTION is refused where the protocol has none
    Applies: scp == 3 and rmac and not renc and keys
    When the host asks for a handshake
    And the host authenticates at level "13"
    Then the card answers 9000
    When the host asks for a handshake
    And the host authenticates at level "33"
    Then the card refuses it with 6A86, tolerated 6985 or 6982
    And commands need a channel
    And nothing has changed

  @scp03-7.1.2.3 @conditional
  Scenario: SC3-04 Level 33 protects commands and answers
    Applies: scp == 3 and renc and keys
    When the host asks for a handshake
    And the host authenticates at level "33"
    Then the card answers 9000
    And the channel still works

  @scp03-6.2.2.1 @conditional
  Scenario: SC3-05 A pseudo-random challenge follows from counter and AID
    Applies: scp == 3 and pseudorandom and keys
    When the host asks for a handshake
    Then the card challenge follows from the AID

  @scp03-6.2.2.1 @conditional
  Scenario: SC3-06 Each handshake counts
    Applies: scp == 3 and pseudorandom
    When the host asks for a handshake
    And the sequence counter is noted as "before"
    And the host asks for a handshake
    Then the sequence counter is one more than "before"

  @scp03-6.2.2.1 @conditional @irreversible
  Scenario: SC3-07 The sequence counter does not start again behind its end
    Applies: scp == 3 and pseudorandom and keys and virtual
    Given another card whose sequence counter is "FFFFFF"
    When the host asks for a handshake
    Then the sequence counter is "FFFFFF"
    When the host sends "80500000 [{random 8}] 00"
    Then the card refuses it with 6985

  @scp03-6.2.2.1 @conditional @keys
  Scenario: SC3-08 A fresh key set starts with a counter of zero
    Applies: scp == 3 and pseudorandom and keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When the host asks for a handshake with key version "71"
    Then the sequence counter is "000001"

  @scp03-6.2.1 @conditional @keys
  Scenario: SC3-09 Keys of 24 and 32 bytes open channels too
    Applies: scp == 3 and keys
    Given a secure channel at level "01"
    When the host puts AES test keys of 24 bytes
    Then the card answers 9000, tolerated 6A80 or 6A86
    And the test keys open a channel, if they were taken
    Given a secure channel at level "01"
    When the host puts other AES test keys of 32 bytes
    Then the card answers 9000, tolerated 6A80 or 6A86
    And the test keys open a channel, if they were taken

  @scp03-6.2.2.2 @must
  Scenario: SC3-10 Cryptograms come from both challenges
    Applies: scp == 3 and keys
    When the host asks for a handshake
    Then the card's cryptogram is right
    When the host authenticates at level "01"
    Then the card answers 9000

  @scp03-6.2.4 @must @negative
  Scenario: SC3-11 The next MAC is chained to all 16 bytes of the last one
    Applies: scp == 3 and keys
    Given a secure channel at level "01"
    Then the channel still works
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel chained to 8 bytes of the last MAC
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @scp03-6.2.6 @must @negative
  Scenario: SC3-12 The MAC covers the encrypted data
    Applies: scp == 3 and keys
    Given a secure channel at level "03"
    Then the channel still works
    Given a secure channel at level "03"
    When the host sends "80F28002 02 4F00 00" in the channel with a MAC over the plain data
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @scp03-6.2.6 @must
  Scenario: SC3-13 The encryption counter of the first command is 1
    Applies: scp == 3 and keys
    Given a secure channel at level "03"
    When the host asks for the status of the issuer security domain in the channel
    Then the card answers 9000

  @scp03-6.2.6 @must
  Scenario: SC3-14 A command without data is counted too
    Applies: scp == 3 and keys
    Some cards do not count them, and hosts have to follow.
    Given a secure channel at level "03"
    When the host sends "80CA9F7F00" in the channel
    Then the card answers 9000 or 6A88
    And the channel still works
    And the channel still works

  @scp03-6.2.6 @must
  Scenario: SC3-15 A command without data is not encrypted
    Applies: scp == 3 and keys
    Given a secure channel at level "03"
    When the host sends "80CA9F7F00" in the channel
    Then the card answers 9000 or 6A88

  @scp03-6.2.5 @must
  Scenario: SC3-16 An error carries no R-MAC
    Applies: scp == 3 and rmac and keys
    Given a secure channel at level "13"
    When the host sends "80CA123400" in the channel
    Then the card answers 6A88
    And the answer on the wire has 0 bytes more than its data
    And the channel still works

  @scp03-6.2.5 @must @content
  Scenario: SC3-17 A warning carries its R-MAC
    Applies: scp == 3 and rmac and keys and load
    Given many applications on the card
    And a secure channel at level "13"
    When the host asks for the status of all applications in the channel
    Then the card answers 6310
    And the answer on the wire has 8 bytes more than its data
    And the protection of the answer is right

  @scp03-6.2.5 @must @content
  Scenario: SC3-18 A success without data carries its R-MAC
    Applies: scp == 3 and rmac and keys and load
    Given the applet is on the card
    And a secure channel at level "11"
    When the host locks the applet in the channel
    Then the card answers 9000
    And the answer on the wire has 8 bytes more than its data
    And the protection of the answer is right

  @scp03-6.2.7 @conditional
  Scenario: SC3-19 Answers with data are encrypted at level 33
    Applies: scp == 3 and renc and keys
    Some cards are known to encrypt answers wrongly.
    Given a secure channel at level "33"
    When the host asks for the status of the issuer security domain in the channel
    Then the card answers 9000
    And the protection of the answer is right
    And the answer holds "E3/4F" equal to "{isd}"

  @scp03-6.2.7 @conditional @content
  Scenario: SC3-20 Answers without data are not encrypted at level 33
    Applies: scp == 3 and renc and keys and load
    Given the applet is on the card
    And a secure channel at level "33"
    When the host locks the applet in the channel
    Then the card answers 9000
    And the answer on the wire has 8 bytes more than its data
    And the protection of the answer is right

  @scp03-6.2.5 @must
  Scenario: SC3-21 The answer to EXTERNAL AUTHENTICATE carries no R-MAC
    Applies: scp == 3 and rmac and keys
    When the host asks for a handshake
    And the host authenticates at level "11"
    Then the card answers 9000
    And the answer is empty

  @scp03-7.1.3.7 @conditional @negative
  Scenario: SC3-22 An R-MAC session does not begin where answers carry R-MACs already
    Applies: scp == 3 and rmac and keys
    Given a secure channel at level "11"
    When the host sends "807A1001 01 00" in the channel
    Then the card refuses it with 6985
    And the channel still works

  @scp03-7.1.3.7 @conditional @negative
  Scenario: SC3-23 R-ENCRYPTION does not begin without C-DECRYPTION
    Applies: scp == 3 and renc and keys
    Given a secure channel at level "01"
    When the host sends "807A3001 01 00" in the channel
    Then the card refuses it with 6985
    And the channel still works

  @scp03-7.1.3.7 @conditional @negative
  Scenario: SC3-24 R-MAC does not begin without C-MAC
    Applies: scp == 3 and rmac and keys
    When the host asks for a handshake
    And the host authenticates at level "00"
    And the host sends "807A1001 01 00"
    Then the card refuses it with 6985
    And the channel still works

  @scp03-7.1.4.1 @conditional @negative
  Scenario: SC3-25 A wrong MAC at the end of an R-MAC session aborts the channel
    Applies: scp == 3 and rmac and keys
    Given a secure channel at level "01"
    When the host begins an R-MAC session at "10"
    Then the card answers 9000
    When the host sends "80780003 00" in the channel with a wrong MAC
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @scp03-7.1.4.1 @conditional @negative
  Scenario: SC3-26 An R-MAC session outlives a wrong end
    Applies: scp == 3 and rmac and keys
    Given a secure channel at level "01"
    When the host begins an R-MAC session at "10"
    Then the card answers 9000
    When the host sends "80780007 00" in the channel
    Then the card refuses it
    And the channel still works
    When the host sends "80CA9F7F00" in the channel
    Then the answer on the wire has 8 bytes more than its data

  @scp03-5.6 @must @negative
  Scenario: SC3-27 Wrong, repeated, swapped and foreign MACs are refused, and abort the channel
    Applies: scp == 3 and keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel with a wrong MAC
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted
    Given a secure channel at level "01"
    When the host asks for the status of the issuer security domain in the channel
    And the host sends the last command again
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted
    Given a secure channel at level "01"
    When the host prepares "80F28002 02 4F00 00" in the channel as "first"
    And the host prepares "80CA9F7F00" in the channel as "second"
    And the host sends the prepared "second"
    Then the card refuses it with 6982, tolerated 6988
    When the host sends the prepared "first"
    Then the card refuses it with 6982, tolerated 6988 or 6985
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel with a MAC that is cut short
    Then the card refuses it with 6982, tolerated 6988 or 6700
    And nothing has changed

  @scp03-6.2.4 @must @negative
  Scenario: SC3-33 A MAC made by the key for answers is refused
    Applies: scp == 3 and rmac and keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel with a MAC made by the key for answers
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @scp03-6.2.6 @policy @negative
  Scenario: SC3-28 Encrypted data that are no whole blocks are refused
    Applies: scp == 3 and keys
    Given a secure channel at level "03"
    When the host sends 17 encrypted bytes with their right MAC
    Then the card refuses it with 6982, tolerated 6988 or 6A80 or 6700
    And nothing has changed

  @gpcs-11.1.5 @must @negative @irreversible
  Scenario: SC3-29 A protected command holds 239 bytes of data
    Applies: scp == 3 and keys
    Given a secure channel at level "03"
    When the host sends "80E29000 [{zero 239}]" in the channel
    Then the card refuses it
    And the channel still works
    And nothing has changed

  @gpcs-11.4.3.2 @conditional @content
  Scenario: SC3-30 A long status comes in pages that fit their protection
    Applies: scp == 3 and renc and keys and load
    Given many applications on the card
    And a secure channel at level "33"
    When the host asks for the status of all applications in the channel
    Then the card answers 6310
    And the protection of the answer is right
    When the host asks for the rest of the status
    Then the card answers 9000
    And the status lists each of the applications once

  @scp03-6.1 @policy @negative @keys
  Scenario: SC3-32 Keys of a set have the same length
    Applies: scp == 3 and keys
    Given a secure channel at level "01"
    When the host puts test keys of 16, 16 and 32 bytes
    Then the card refuses it with 6A80, tolerated 6985
    And nothing has changed
