"""Where does data come from? Each source reads a plain stream with what is known about it.

Belongs here: PostgreSQL (later files, volumes, compose); the only home of the database client.
Forbidden: compression, encryption, stores.
"""
