Feature: PUT KEY

  @gpcs-11.8.3.1 @must @keys
  Scenario: PUT-01 A key set that is added is answered by its check values, and opens a channel
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    And the answer lists the version and check values of the test keys
    And the test keys open a channel

  @gpcs-11.8.1 @must @keys
  Scenario: PUT-02 A key set that is replaced opens no channel any more
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When a channel is opened with key version "71"
    And the host replaces the test keys by others
    Then the card answers 9000
    And the test keys open a channel
    And key version "71" is gone

  @gpcs-11.8.2.3.3 @must @negative @keys
  Scenario: PUT-03 A wrong check value of one key refuses all three
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys with a wrong check value of key 3
    Then the card refuses it with 6982, tolerated 9485 or 6A80
    And key version "71" is gone
    Given a secure channel at level "01"
    When the host puts test keys with a wrong check value of key 1
    Then the card refuses it with 6982, tolerated 9485 or 6A80
    And key version "71" is gone
    And the card's own keys open a channel

  @gpcs-11.8.2.3.3 @policy @negative @keys
  Scenario: PUT-04 Keys come with check values
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys without check values
    Then the card refuses it with 6A80, tolerated any error
    And key version "71" is gone

  @gpcs-B.6 @must @keys
  Scenario: PUT-05 Check values are the first bytes of an encrypted block
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the answer lists the version and check values of the test keys

  @gpcs-11.8.3.2 @must @negative @keys
  Scenario: PUT-06 A version that is not there is not replaced
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys in place of version "6E"
    Then the card refuses it with 6A88
    And key version "71" is gone
    And the card's own keys open a channel

  @gpcs-11.8.1 @policy @negative @keys
  Scenario: PUT-07 A version that is there is not added again
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When the host puts test keys
    Then the card refuses it with 6A80, tolerated 6985 or 9000
    And the test keys open a channel

  @gpcs-11.8.2.3.3 @must @negative @keys
  Scenario: PUT-08 A key is not replaced by one of another length
    Applies: keys and scp == 3
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When a channel is opened with key version "71"
    And the host replaces the test keys by keys of another length
    Then the card refuses it
    And key version "72" is gone
    And key version "71" is there

  @gpcs-11.8.2.1 @policy @negative @keys
  Scenario: PUT-09 Key versions are 01 to 7F
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys as version "00"
    Then the card refuses it with 6A80, tolerated any error
    When the host puts test keys as version "80"
    Then the card refuses it with 6A80, tolerated any error
    And the card's own keys open a channel

  @gpcs-11.8.2.2 @conditional @keys
  Scenario: PUT-10 One key is replaced alone
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When a channel is opened with key version "71"
    And the host puts test key 3 alone
    Then the card answers 9000
    And the answer has 4 bytes
    And key version "71" is there

  @gpcs-E.4.7 @must @negative @keys
  Scenario: PUT-11 In SCP02 keys come encrypted by the session's own key
    Applies: keys and scp == 2
    Given a secure channel at level "01"
    When the host puts test keys encrypted by the card's own data encryption key
    Then the card refuses it
    And key version "71" is gone
    And the card's own keys open a channel

  @scp03-6.2.8 @must @keys
  Scenario: PUT-12 In SCP03 keys come encrypted by the static key, with their length
    Applies: keys and scp == 3
    Given a secure channel at level "03"
    When the host puts test keys
    Then the card answers 9000
    And the test keys open a channel

  @scp03-7.2.1 @conditional @keys
  Scenario: PUT-13 A key of 24 bytes comes filled up
    Applies: keys and scp == 3
    Given a secure channel at level "01"
    When the host puts AES test keys of 24 bytes
    Then the card answers 9000, tolerated 6A80
    And the test keys open a channel, if they were taken

  @gpcs-11.1.5.1 @policy @negative @keys
  Scenario: PUT-15 A chain of PUT KEY commands that is broken off changes nothing
    Applies: keys
    Cards that know no chains refuse the first part.
    Given a secure channel at level "01"
    When the host puts the first part of a chain of test keys
    Then the card answers 9000, tolerated 6A86 or 6A80
    And key version "71" is gone
    And the card's own keys open a channel

  @gpcs-11.8.2.3.3 @must @keys
  Scenario: PUT-16 The key information template lists new keys
    Applies: keys and keyinfo
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When the host sends "80CA00E000" in the channel
    Then the key information lists version "71" with 3 keys
    And the key information gives types and lengths of the protocol
    And the key information names each key once

  @gpcs-E.5.1.3 @policy @keys
  Scenario: PUT-17 Which set version 00 means, once there are two
    Applies: keys and replaceable
    Hosts have to name the version: what the card takes for the first is recorded.
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When the host sends "00A40400 [{isd}] 00"
    And the host sends "80500000 [{random 8}] 00"
    And bytes 11 to 11 of the answer are noted as "version"
    Then "version" is the same as "kvn"

  @gpcs-7.6 @must @negative @irreversible
  Scenario: PUT-18 A locked card takes no keys
    Applies: keys and life <= 15
    Given the card is in life cycle state "7F"
    And a secure channel at level "01"
    When the host puts test keys
    Then the card refuses it
    And key version "71" is gone

  @gpcs-11.8 @policy @keys
  Scenario: PUT-19 Keys may come without encryption of the command, being encrypted themselves
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000, tolerated 6982 or 6985

  @tms-changeover @beyond @keys
  Scenario: PUT-20 Token management changes the card's own keys
    Applies: keys and replaceable
    Given a secure channel at level "03"
    When the host puts test keys in place of version "{kvn}"
    Then the card answers 9000
    And the test keys open a channel

  @tms-changeover @beyond @keys
  Scenario: PUT-21 Keys that were changed can be changed back
    Applies: keys and replaceable
    Given a secure channel at level "01"
    When the host puts test keys in place of version "{kvn}"
    Then the card answers 9000
    When a channel is opened with key version "71"
    And the host puts its own keys back in place of version "71"
    Then the card answers 9000
    And key version "71" is gone
    And the card's own keys open a channel

  @gpcs-11.8.2.3.3 @must @negative @keys
  Scenario: PUT-22 A command that is cut short puts no key
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80D80081 [71 8010 {random 16} 03 000000 8010 {random 8}] 00" in the channel
    Then the card refuses it
    When the host sends "80D80081 [71] 00" in the channel
    Then the card refuses it
    And key version "71" is gone
    And the card's own keys open a channel

  @gpcs-11.8.2.2 @must @negative @keys
  Scenario: PUT-23 Keys beyond the third are refused
    Applies: keys
    Given a secure channel at level "01"
    When the host puts test keys from identifier 2 on
    Then the card refuses it
    And key version "71" is gone
    And the card's own keys open a channel
