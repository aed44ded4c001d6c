"""The chaos test: real processes under load, killed and starved, then the books.

`python -m tests.system.chaos --help`, or `make chaos ARGS="--database sqlite"`.
"""
