@endurance
Feature: Quality and endurance

  @quality-memory @beyond @content
  Scenario: QUA-10 Installing and deleting twenty times loses no memory
    Applies: keys and coolkey and resources
    Given the load file is on the card
    And the free memory is noted
    When the applet is installed and deleted 20 times
    Then the free memory is as it was

  @quality-endurance @beyond @content
  Scenario: QUA-06 A card is formatted and personalized a hundred times
    Applies: keys and coolkey
    When the load file is loaded, the applet installed, and both deleted, 100 times
    Then the registry does not list "{package}"
    And every command of the run was answered

  @quality-endurance @beyond @content
  Scenario: QUA-07 A PIN is verified ten thousand times
    Applies: keys and coolkey
    Given the applet is on the card, with room
    And a channel to the applet at level "01"
    And PIN 0 is "1234" with 3 tries
    When the holder logs in 10000 times
    Then the last of them took no more than twice as long as the first

  @quality-time @beyond @content
  Scenario: QUA-01 Keys of 2048 bits are made thirty times
    Applies: keys and coolkey
    How long each took is in the report.
    Given the applet is on the card, with room
    And a channel to the applet at level "01"
    When the host has 30 key pairs of 2048 bits made
    Then the card answers 9000
    And the moduli are all different

  @quality-time @beyond @content
  Scenario: QUA-02 A key computes two hundred times
    Applies: keys and coolkey
    How long each took is in the report.
    Given the applet is on the card, with room
    And a channel to the applet at level "01"
    And a key pair of 1024 bits in slots 2 and 3
    When the key in slot 3 computes 200 times
    Then each time the result is the same
