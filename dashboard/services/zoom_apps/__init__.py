"""Zoom apps: one set of Zoom credentials each, with secrets, scopes and successor.

`apps` creates, changes and finds them; `credential_checks` verifies credentials with
Zoom before they are saved; `secret_changes` records how far a change of secrets is;
`custody` sets where tokens are stored; `scopes` lists what to ask for; `succession`
tells which app replaces which. May import `recall`-level rooms and below: `relay`,
`receiver`, `validation`.
"""
