"""The live visualizer: a client of a host, in a process of its own."""
