"""How the ranks of a communicator are arranged: who is whose neighbour."""
