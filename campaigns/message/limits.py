"""Lengths and sizes that the channels allow, in one place; where providers differ, the lower (channels-kr §2)."""

SMS_BYTES = 90
LMS_BYTES = 2_000
SUBJECT_BYTES = 40

ALIMTALK_CHARACTERS = 1_000
"""After the variables are filled in. NHN Cloud allows 1,300 since 2025-10-28, SOLAPI's code 1031 still says 1,000."""
ALIMTALK_VARIABLES = 40
ALIMTALK_LINK = 500
VARIABLE_GROWTH = 14
"""A new channel's variable may be so many characters longer than its placeholder (NHN -1028)."""

FRIENDTALK_CHARACTERS = 1_300
FRIENDTALK_BREAKS = 99
FRIENDTALK_LINK = 1_000
BUTTONS = 5
BUTTON_NAME = 14

MMS_PICTURE_BYTES = 200 * 1024
MMS_PICTURE_SIDE = 1_000
FRIENDTALK_PICTURE_BYTES = 5 * 1024 * 1024
FRIENDTALK_PICTURE_WIDTH = 500
FRIENDTALK_PICTURE_WIDEST = 2.0
FRIENDTALK_PICTURE_TALLEST = 0.75
"""Width by height: between 2:1 and 3:4."""

REFERENCE_LENGTH = 100
"""Of a value that travels with a message and comes back (SOLAPI `customFields`, 1032)."""
