"""The API group, its version and the words that stand in `apiVersion`."""

GROUP = "strongroom.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "strongroom"
