"""The BPF programs, as source: shipped in the package, compiled where they run (or ahead of it)."""
