"""How do bytes become unreadable to all but the holders of a key? One module a kind, each a Cipher.

Belongs here: the kinds of encryption, their keys, and the proof that a stored stream was not tampered with.
Forbidden: formats and primitives of our own (formats are those of age, gpg and openssl); secrets in arguments, environment or texts.
"""
