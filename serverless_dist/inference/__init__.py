"""Distributed sparse-DNN inference: an application of the communicator."""
