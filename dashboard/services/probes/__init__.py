"""Checks that the dashboard runs itself: self-test of the public URL, tests of Recall.

`public_url` and `recall_webhook` run the tests, `recall_record` reads what Recall says
of an app, `watcher` runs all on schedule, `recent` lists recent activity. May import
`zoom_apps`, `recall`, `receiver`, `validation` and below.
"""
