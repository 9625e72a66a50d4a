"""What are Kubernetes' own kinds? The few that Strongroom and stock clients need, one module each.

Belongs here: everything that names a kind: schemas, rules, life cycles, what the fixed roles may do.
Forbidden: HTTP; a kind is `Rules` and admission, the handlers do the rest.
"""
