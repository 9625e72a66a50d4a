"""What happens by itself? Garbage collection by owner, emptying of namespaces and definitions, expiry, compaction.

Belongs here: loops over the store that any process of the server may be killed in; each looks at everything again when it starts.
Forbidden: HTTP.
"""
