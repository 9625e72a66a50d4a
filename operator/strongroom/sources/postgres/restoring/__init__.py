"""How does a dump become a database again? Made beside the old one, compared, and exchanged with it by two renames.

Belongs here: what is found out before, roles and properties, pg_restore, exact counts, the exchange and the way back.
Forbidden: stores, decryption, services, and what a request decides.

Who runs what: definitions are made as the connecting role, and given to their owners; no code of theirs runs meanwhile. Rows are
loaded, and indexes and constraints made, as each table's owner: a function of a plain role, called by a CHECK for instance,
never runs with a superuser's rights.
"""
