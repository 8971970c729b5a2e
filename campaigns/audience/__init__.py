"""To whom a campaign goes: from a cohort, a group or a file to people, each step, and what it costs."""
