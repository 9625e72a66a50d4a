"""What does a request do to objects? One module per verb over the same few steps of a write.

Belongs here: Kubernetes' semantics of create, read, update, patch, delete and watch, the same for every kind.
Forbidden: the name of any kind.
"""
