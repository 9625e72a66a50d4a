"""Who asks, and may they? The server's own CA, bearer tokens kept as hashes, signed tokens of service accounts, rules.

Belongs here: identities and their proof.
Forbidden: the name of any kind (what the roles may do, and who is bound to them, is in `builtins`).
"""
