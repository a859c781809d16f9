@alone
Feature: Which token type a card gets
  What a card and its client show of themselves decides which token type applies: mappings are tried in their
  order, and the first whose filters all let the card through has its way. Every operation may have a resolver
  of its own, and so may the choice of the key set. An operator can ask what would happen before any card comes.

  Background:
    Given a token management system with the usual users

  Scenario Outline: A mapping fits when each of its filters that has a value does
    Given a blank card of stock "gp211-scp02"
    And the resolver "formatProfileMappingResolver" decides tokenType by these mappings
      |   | <filter> | target     |
      | 0 | <value>  | cleanToken |
      | 1 |          | userKey    |
    When the operator types: tms explain --op format --cuid TOKEN --atr <atr> --key-bits 128
    Then the command says "<type>, by mapping"
    When "alice" formats the card
    Then the operation succeeds
    And the token's record names token type "<type>" and the applet on the card

    Examples:
      | filter             | value                | type       | atr |
      | tokenATR           | ATR                  | cleanToken | ATR |
      | tokenATR           | 3B759400006202020201 | userKey    | ATR |
      | tokenATR           |                      | cleanToken | ATR |
      | tokenCUID.start    | CUID                 | cleanToken | 00  |
      | tokenCUID.start    | FFFFFFFFFFFFFFFFFFFF | userKey    | 00  |
      | tokenCUID.end      | CUID                 | cleanToken | 00  |
      | tokenCUID.end      | 00000000000000000000 | userKey    | 00  |
      | appletMajorVersion | 0                    | cleanToken | 00  |
      | appletMajorVersion | 1                    | userKey    | 00  |
      | appletMinorVersion | 4                    | userKey    | 00  |
      | tokenType          | soKey                | userKey    | 00  |
      | keySet             | jForte               | userKey    | 00  |
      | symKeySize         | 128                  | cleanToken | 00  |
      | symKeySize         | 256                  | userKey    | 00  |

  Scenario: All filters of a mapping have to let the card through
    Given a blank card of stock "gp211-scp02"
    And the resolver "formatProfileMappingResolver" decides tokenType by these mappings
      |   | tokenATR | tokenCUID.start      | tokenCUID.end | tokenType  | target     |
      | 0 | ATR      | 00000000000000000000 | CUID          | cleanToken | cleanToken |
      | 1 |          |                      |               |            | userKey    |
    When "alice" formats the card
    Then the token's record names token type "userKey" and the applet on the card
    When "alice" formats the card as token type "cleanToken"
    Then the token's record names token type "cleanToken" and the applet on the card

  Scenario: The order decides, not the number
    Given a blank card of stock "gp211-scp02"
    And the resolver "formatProfileMappingResolver" decides tokenType by these mappings
      |   | tokenCUID.start      | target     |
      | 7 | 00000000000000000000 | cleanToken |
      | 0 |                      | userKey    |
    When "alice" formats the card
    Then the token's record names token type "cleanToken" and the applet on the card
    When the operator types: tms explain --op format --cuid TOKEN
    Then the command shows lines with
      | cleanToken, by mapping 7             |
      | mapping 7 fits, and decides          |
      | mapping 0 would fit, but comes later |

  Scenario: A card that no mapping fits
    Given a blank card of stock "gp211-scp02"
    And the resolver "formatProfileMappingResolver" decides tokenType by these mappings
      |   | tokenType | target     |
      | 0 | soKey     | cleanToken |
    When the operator types: tms explain --op format --cuid TOKEN
    Then the command succeeds
    And the command shows lines with
      | mapping 0 does not fit                                   |                  |
      | filter tokenType wants "soKey", nothing was given: fails |                  |
      | outcome                                                  | refused, code 22 |
    When "alice" formats the card
    Then the operation fails with code 22
    And nothing on the card has changed

  Scenario: Each operation has its own resolver, and knows the applet on the card
    Given a blank card of stock "gp211-scp02"
    And the resolver "formatProfileMappingResolver" decides tokenType by these mappings
      |   | appletMajorVersion | target     |
      | 0 | 1                  | cleanToken |
      | 1 |                    | userKey    |
    And the resolver "enrollProfileMappingResolver" decides tokenType by these mappings
      |   | appletMajorVersion | appletMinorVersion | target  |
      | 0 | 1                  | 4                  | userKey |
      | 1 |                    |                    | soKey   |
    And the resolver "pinResetProfileMappingResolver" decides tokenType by these mappings
      |   | appletMinorVersion | target |
      | 0 | 9                  | soKey  |
    When "alice" formats the card
    Then the token's record names token type "userKey" and the applet on the card
    When the operator types: tms explain --op enroll --cuid TOKEN --applet 1.4 --user alice
    Then the command shows lines with
      | record                    | the record that the server has        |
      | userKey, by mapping 0     |                                       |
      | FORMATTED to ACTIVE (0:4) |                                       |
      | outcome                   | token type userKey, key set defKeySet |
    When "alice" enrolls the card as token type "soKey"
    Then the operation succeeds
    And the token's type is "userKey"
    When "alice" sets the PIN to "11223344"
    Then the operation fails with code 22

  Scenario: The key set is resolved like the token type
    Given a blank card of stock "gp211-scp02"
    And the resolver "keySetMappingResolver" decides keySet by these mappings
      |   | tokenCUID.start | tokenCUID.end | target    |
      | 0 | CUID            | CUID          | defKeySet |
      | 1 |                 |               | jForte    |
    When the operator types: tms explain --op format --cuid TOKEN
    Then the command says "defKeySet, by mapping 0 of keySetMappingResolver"
    When "alice" formats the card
    Then the operation succeeds
    Given a second blank card of stock "gp211-scp02"
    When the operator types: tms explain --op format --cuid TOKEN
    Then the command says "jForte, by mapping 1 of keySetMappingResolver"
    When "alice" formats the card
    Then the operation fails with code 17
    And nothing on the card has changed

  Scenario: A resolver that somebody else wrote
    Given a blank card of stock "gp211-scp02"
    And the resolver "formatProfileMappingResolver" is the plug-in "byMakerResolverImpl" with
      | known | cleanToken |
      | other | userKey    |
    When "alice" formats the card
    Then the operation succeeds
    And the token's record names token type "cleanToken" and the applet on the card

  Scenario Outline: Resolvers that make no sense stop the start
    Given the configuration says
      | mappingResolver.formatProfileMappingResolver.<key> | <value> |
    Then the system does not start, and says "formatProfileMappingResolver"

    Examples:
      | key                              | value |
      | class_id                         | magic |
      | mapping.order                    | 0,0   |
      | mapping.order                    | 99    |
      | mapping.0.filter.tokenCUID.start | 4090  |

  Scenario: An answer before any card comes, and before the server is started anew
    When the operator types: tms explain --op enroll --cuid 40906145C76224192D2B --atr 3B759400006202020201 --user alice
    Then the command succeeds
    And the command shows lines with
      | record     | a card that was never seen                            |
      | mapping    | userKey, by mapping 3 of enrollProfileMappingResolver |
      | mapping 0  | does not fit                                          |
      | filter     | appletMajorVersion wants "1", got "0": fails          |
      | profile    | userKey                                               |
      | signing    | profile caTokenUserSigningKeyEnrollment               |
      | key set    | defKeySet                                             |
      | transition | UNFORMATTED to FORMATTED (7:0)                        |
      | policy     | it is enrolled                                        |
      | outcome    | token type userKey, key set defKeySet                 |
    When the operator types: tms explain --op enroll --cuid 40906145C76224192D2B --state TERMINATED
    Then the command says "refused, code 35"
    When the operator types: tms explain --op pinReset --cuid 40906145C76224192D2B --state ACTIVE
    Then the command says "PIN_RESET is NO"
    When the operator types: tms explain --op pinReset --cuid 40906145C76224192D2B --state ACTIVE --policy PIN_RESET=YES
    Then the command says "the PIN may be reset"
