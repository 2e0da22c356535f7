"""The agent: the only place where time, packets and the core meet."""
