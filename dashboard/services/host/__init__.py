"""What happened to the host: its clock jumped, its database was restored.

Both make what is stored doubtful until it is seen again. May import no other room.
"""
