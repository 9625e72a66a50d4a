"""How do we talk to a Kubernetes API? The only home of the Kubernetes client for the control side.

Belongs here: get, list, create-or-adopt, patch, watch, Leases and Events, with the API's errors turned into ours.
Forbidden: decisions; knowing what a policy is for.
"""
