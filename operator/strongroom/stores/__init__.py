"""Where do copies live? One Protocol, one contract, one module for each kind of store.

Belongs here: atomic visibility, listing, deletion, capabilities of each medium.
Forbidden: knowing what is inside an artifact.
"""
