"""Who asks, and may they? The server's own CA, bearer tokens kept as hashes, fixed roles, kubeconfigs.

Belongs here: identities and their proof.
Forbidden: the name of any kind (what the roles may do is data in `builtins`).
"""
