"""What several views of one page share: its context, its links, its files.

Views import it. It calls services and builds no queries.
"""
