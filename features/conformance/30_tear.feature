@tear @irreversible
Feature: Loss of power in the middle of an operation
  Applies: virtual
  Power is cut at every write to the memory of virtual cards, before, in the middle of and behind it.

  @gpcs-11.8.2.3.3 @must
  Scenario: TEA-01 Keys that are put are there whole, or not at all
    Applies: keys
    When power fails at every write of putting keys
    Then each time the card is as it was, or as it would have become

  @gpcs-11.8.2.3.3 @must
  Scenario: TEA-16 Keys that are replaced are the old ones or the new ones
    Applies: keys
    When power fails at every write of replacing keys
    Then each time the card is as it was, or as it would have become

  @gpcs-9.5.1 @must
  Scenario: TEA-03 An application that is deleted is there, or gone
    Applies: keys and coolkey
    When power fails at every write of deleting an application
    Then each time the card is as it was, or as it would have become

  @gpcs-9.5.3 @must
  Scenario: TEA-04 A load file that is deleted with its application is there with it, or gone with it
    Applies: keys and coolkey
    When power fails at every write of deleting a load file
    Then each time the card is as it was, or as it would have become

  @gpcs-9.3.5 @must
  Scenario: TEA-06 A load file is there whole, or not at all, and the memory is free again
    Applies: keys and load
    When power fails at every write of loading a file
    Then each time the card is as it was, or as it would have become

  @gpcs-9.3.6 @must
  Scenario: TEA-07 An application is installed whole, or not at all
    Applies: keys and load
    When power fails at every write of installing an application
    Then each time the card is as it was, or as it would have become

  @gpcs-11.1.1 @must
  Scenario: TEA-09 An application has its old state or the new one
    Applies: keys and coolkey
    When power fails at every write of locking an application
    Then each time the card is as it was, or as it would have become

  @gpcs-11.1.1 @must
  Scenario: TEA-17 The card has its old state or the next one
    Applies: keys and life <= 15
    When power fails at every write of changing the life cycle
    Then each time the card is as it was, or as it would have become

  @gpcs-E.1.2 @must
  Scenario: TEA-10 The sequence counter is the old one, or one more
    Applies: keys and scp == 2
    When power fails at every write of authenticating
    Then each time the card is as it was, or as it would have become

  @gpcs-11.11 @must
  Scenario: TEA-12 Data that are stored are there all, or not at all
    Applies: keys and life < 127
    When power fails at every write of storing data
    Then each time the card is as it was, or as it would have become

  @coolkey-8.3 @must
  Scenario: TEA-13 An object is created, or is not
    Applies: keys and coolkey
    When power fails at every write of creating an object
    Then each time the card is as it was, or as it would have become

  @coolkey-8.5 @must
  Scenario: TEA-18 An object has its old content or the new one
    Applies: keys and coolkey
    When power fails at every write of writing an object
    Then each time the card is as it was, or as it would have become

  @coolkey-5.2 @must
  Scenario: TEA-19 A PIN is the old one or the new one
    Applies: keys and coolkey
    When power fails at every write of setting a PIN
    Then each time the card is as it was, or as it would have become

  @coolkey-10.6 @must
  Scenario: TEA-20 A key pair is there whole, or not at all
    Applies: keys and coolkey
    When power fails at every write of making a key pair
    Then each time the card is as it was, or as it would have become

  @scp03-6.2.2.1 @must
  Scenario: TEA-11 The counter of pseudo-random challenges is the old one, or one more
    Applies: scp == 3 and pseudorandom and keys
    When power fails at every write of a handshake
    Then each time the card is as it was, or as it would have become

  @coolkey-7.3 @must
  Scenario: TEA-21 A wrong PIN has taken its try, or was not seen
    Applies: keys and coolkey
    When power fails at every write of a wrong PIN
    Then each time the card is as it was, or as it would have become
