"""How does a folder on an SSH server keep the contract by SFTP? Requests, uploads, reads, and what each refusal means.

Belongs here: everything that speaks SFTP, over a connection that `stores.ssh` opens.
Forbidden: making the store's folder, following symbolic links below it, and replacing a key.
"""
