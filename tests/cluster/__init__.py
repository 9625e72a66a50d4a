"""Stories on a real Kubernetes: one node of it on this machine, or any cluster by `pytest --kubeconfig FILE`.

The node is what `realcluster/` beside the checkout builds and runs (README there). One for all processes of a test run, ended when its last story is told.
"""
