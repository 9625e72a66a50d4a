"""How do people start it and ask it? One command, many subcommands: parse the words, call one room, print.

Belongs here: arguments, help with examples, output for people.
Forbidden: decisions and effects of its own.
"""
