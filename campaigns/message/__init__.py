"""What a campaign says: its content, the rules it has to keep, and what each person reads."""
