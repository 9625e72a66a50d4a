"""How does a server come about that is thrown away? Of one major version, reached by nobody else, gone whatever happens.

Belongs here: clusters and containers that drills restore into, and queries that prove what was restored.
Forbidden: stores, decryption, and what a policy decides.
"""
