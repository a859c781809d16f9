@cut @processes
Feature: Nothing is lost in the life of a token when something dies
  Cards are pulled before a command or before its answer is read; token processing system, certificate
  authority and key recovery authority lose power, each on a machine of its own. Wherever that happens,
  the person tries once more, and all is right: no certificate is valid that the system does not know of,
  no encryption certificate whose key is not archived, and the card holds what its record says.

  Background:
    Given token processing system, certificate authority and key recovery authority, each a process of its own
    And cards of stock "gp211-scp02"

  Scenario Outline: Wherever it is cut, one more try puts it right
    Given a person whose operation is to "<operation>"
    When the card is pulled before each command in turn, and the person tries once more each time
    And the answer to each command in turn is lost, and the person tries once more each time
    And the TPS is killed at each intent and outcome in turn, and the person tries once more each time
    And the CA is killed at each intent and outcome in turn, and the person tries once more each time
    And the KRA is killed at each intent and outcome in turn, and the person tries once more each time
    Then every last try ended as it should, and records, authorities and card agreed

    Examples:
      | operation           |
      | format a used token |
      | enroll              |
      | enroll again        |
      | renew               |
      | recover             |
      | reset the PIN       |

  Scenario Outline: A card that nobody has seen before
    Given a person whose operation is to "<operation>"
    When the TPS is killed at each intent and outcome in turn, and the person tries once more each time
    And the CA is killed at each intent and outcome in turn, and the person tries once more each time
    And the KRA is killed at each intent and outcome in turn, and the person tries once more each time
    And in long runs the card is pulled before each command in turn, and the answer to each is lost
    Then every last try ended as it should, and records, authorities and card agreed

    Examples:
      | operation           |
      | format a blank card |
      | enroll a blank card |
