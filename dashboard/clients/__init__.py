"""Other people's APIs: Zoom's and Recall's. No database, no Flask."""
