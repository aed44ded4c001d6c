"""Links made for one person, one at a time or from a CSV list.

May import `staff`, `paging`, `audit`, `urls` and `runtime`.
"""
