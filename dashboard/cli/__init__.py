"""The command line: `dashboard <command>`."""
