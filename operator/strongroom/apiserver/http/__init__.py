"""How do requests come in and answers go out? Paths, bodies, content negotiation, Status errors.

Belongs here: what HTTP carries and in which form.
Forbidden: what a request does to an object.
"""
