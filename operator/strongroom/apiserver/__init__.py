"""How does a single host get a Kubernetes API? The embedded API server: ASGI, SQLite, TLS, bearer tokens.

Belongs here: what Kubernetes does, as Kubernetes does it; nothing but `builtins` knows a kind.
Forbidden: Strongroom's decisions, and imports of any room but `api`.
"""
