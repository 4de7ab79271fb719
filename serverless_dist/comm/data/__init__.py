"""What messages are made of: datatypes, buffers, and operators on them.

`buffers` takes apart what callers give as a buffer, into `blocks`; `datatype` says how
an element lies in memory, on the geometry of `typemap` and `packing`; `ops` combines.
"""
