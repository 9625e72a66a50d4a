"""How hard is a store worked, and how long is it waited for? Rates, retries and patience, for every kind of store alike.

Belongs here: wrappers that keep the contract of a Store and know only that contract.
Forbidden: knowing a medium.
"""
