"""How do files get back to where they were? Made beside what is there, exchanged with it, and exchanged back.

Belongs here: places, exchanges that a kill cannot cut in two, what is kept and dropped.
Forbidden: following a link out of a place; removing what no restore has made.
"""
