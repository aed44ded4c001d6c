"""One blueprint per noun: permission, one service call, one commit, one answer."""
