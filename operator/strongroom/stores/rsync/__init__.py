"""How does a folder on an SSH server keep the contract by rsync? One run of the real rsync for each act, and what it says.

Belongs here: everything that starts rsync, its rules, its listings and its exit codes.
Forbidden: names of keys on a command line that a shell reads, and `--delete` without rules that protect all but what is meant.
"""
