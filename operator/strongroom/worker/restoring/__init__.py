"""How is a recovery point restored? Chosen, read from the first good copy, prepared beside the old, compared, exchanged, checked.

Belongs here: which copy and key, the order of the steps, services around them, and the way back from every step.
Forbidden: what a database or a tree of files needs for it (sources), and decisions of the operator.
"""
