"""Test bots: sent to a meeting of a connected user to see that it is recorded.

`runs.begin` sends one, `runs.run_due` follows it; `outcomes` says what came of it, and
`listed` of the bots that others sent. May import `facts` and the rooms below it.
"""
