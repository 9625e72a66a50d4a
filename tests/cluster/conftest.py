"""For every story here."""

from tests.cluster.disturbing import undisturbed

__all__ = ["undisturbed"]
