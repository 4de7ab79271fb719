"""Collective calls, prepared: what is checked, which algorithm runs, what is filled.

`plans` says what a prepared call is; one file for objects, one for buffers that are
moved, one for buffers that are combined, one for the neighbours of a topology.
"""
