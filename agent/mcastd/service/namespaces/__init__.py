"""Several network namespaces: an agent in a process of its own for each, and one voice for all.

Interface indices are a namespace's own, and so is what a program at the NIC sees: one process for
each keeps them apart, and what goes wrong in one ends there. `keeper` starts and ends these
processes and alone keeps the right to; `inside` is what is different in them; `peers` is what the
agent that was started first knows of them, `gathering` and `scraping` are how it answers for all.
"""
