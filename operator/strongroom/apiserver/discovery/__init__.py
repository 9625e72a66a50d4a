"""What is there? Discovery (legacy and aggregated), OpenAPI v3, version and health: pages that no object changes.

Belongs here: documents made from the catalogue.
Forbidden: objects.
"""
