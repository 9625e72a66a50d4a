"""How is one work order carried out? One order in, progress lines out, one result out.

Belongs here: putting sources, pipeline and stores together for backup, prune and store checks.
Forbidden: API credentials, knowledge of a cluster, decisions that `domain` makes.
"""
