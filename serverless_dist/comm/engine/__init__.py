"""How messages and collective calls get done, whatever the surface above.

Algorithms yield `steps`; `operations` run them over a `channel` of a communicator's
`state`; the `endpoint` posts and awaits the messages, which `matching` hands out.
"""
