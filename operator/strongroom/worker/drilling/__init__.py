"""Does a backup restore? Everything of one recovery point, from one store, into an environment that is thrown away.

Belongs here: which environment, what is restored and compared there, and whose fault it is when it fails.
Forbidden: touching what was backed up; deciding when to drill, which `domain` does.
"""
