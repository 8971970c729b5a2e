"""Starting the whole console on one machine (`make run`): look first, make the demo, then hand over to supervisord.

`preflight` finds what would go wrong and says it in a sentence, `leftovers` clears what a killed run left behind,
`demo` makes the people and the project of a first look, `plan` says which processes there are, `supervise` keeps them,
`announce` prints the address once everything answers. In production these processes are started by systemd or
compose instead (`docs/operations.md`).
"""
