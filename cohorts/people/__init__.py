"""Who the people are: rows become profiles, two become one, and what audiences ask of them is kept as sets."""
