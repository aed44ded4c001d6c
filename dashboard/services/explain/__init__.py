"""Explain: why a bot got no token, in one sentence, with the evidence.

`questions` reads what was pasted, `gathering` and `lookups` read the database, `rules`
judges, `evidence` lists what the verdict stands on; `explain` does all of it. Imports
`validation`, `invitations`, `recall` and `runtime`.
"""
