"""Mixpanel: its client, what it says, and what it refuses."""
