"""How is an SSH server reached? The real ssh with options that are all ours, and what its words mean.

Belongs here: what every store by SSH shares: configuration, keys, host key, the table of failures.
Forbidden: knowing what travels over the connection; reading the user's or the machine's own configuration of ssh.
"""
