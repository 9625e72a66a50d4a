"""How do we run programs of others? Started without a shell, fed and read without a deadlock, ended for certain.

Belongs here: what is the same for every program.
Forbidden: knowing any program by name; secrets in arguments or the environment.
"""
