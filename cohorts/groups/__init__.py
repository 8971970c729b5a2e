"""User groups: the condition language, its one question to the database, and who is in."""
