"""The kernel's links, addresses and memberships; only this package knows pyroute2.

Names are imported from its modules: what is there at the start is looked for before it is followed.
"""
