"""Who acts on the decisions? The kopf operator: observe, parse, decide (domain), ensure (kube), report status.

Belongs here: one module for each kind, the reconcile queue, leadership, metrics; the only home of kopf.
Forbidden: touching data or a Docker socket, and imports of the data side.
"""
