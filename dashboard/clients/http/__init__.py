"""One way to ask a vendor over HTTP: time-outs, errors in words, secrets removed.

May import nothing else of `clients`.
"""
