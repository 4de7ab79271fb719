"""New communicators from old ones: who is in them, and their contexts.

Every function returns the state of the new communicator on this rank, or None where
this rank is not in it.
"""

import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from serverless_dist.comm.algorithms import named
from serverless_dist.comm.checks import check_rank, check_tag
from serverless_dist.comm.collectives import objects
from serverless_dist.comm.constants import UNDEFINED
from serverless_dist.comm.engine.matching import TAG_BITS, Receive
from serverless_dist.comm.engine.messages import finish
from serverless_dist.comm.engine.operations import Reception
from serverless_dist.comm.engine.pickling import serializer, take_object
from serverless_dist.comm.exceptions import (
    ERR_ARG,
    ERR_COMM,
    ERR_DIMS,
    ERR_GROUP,
    MPIError,
)
from serverless_dist.comm.group import Group
from serverless_dist.comm.info import Info
from serverless_dist.comm.state import (
    WORLD_CONTEXT,
    Extras,
    State,
    derive,
    next_call,
)
from serverless_dist.comm.topology.topologies import Topology
from serverless_dist.transport import Message

_LEADERS = 1 << (TAG_BITS - 1)  # above the tags of collective calls


def duplicate(state: State, info: Info | None) -> State:
    """Return a communicator of the same ranks, with the attributes that are copied.

    Parameters
    ----------
    state
        The communicator; all its ranks call.
    info
        Its hints; None: those of the old one.
    """
    hints = state.info if info is None else info
    return replace(
        state,
        context=derive(state.context, "dup", next(state.calls)),
        name="",
        info=hints.Dup() if hints else hints,
        algorithms=dict(state.algorithms),
        attributes={},
        calls=count(),
        numbered={},
        extras=Extras(),
    )


def local_group(state: State) -> State | None:
    """Return a communicator of the local group of an intercommunicator, always one."""
    local = replace(state, remote=None)
    return _within(local, state.members, "local", state.is_first)


def subset(state: State, group: Group) -> State | None:
    """Return a communicator of the ranks in `group`; all ranks of the old one call."""
    members = _members(state, group)
    call = next(state.calls)
    if state.remote is None:
        return _within(state, members, "create", call, members)
    # The other group may take out ranks as well.
    remote = _first(state, members)
    if not members or not remote:
        return None
    new = _within(state, members, "create", call)
    if new is None:
        return None
    return replace(new, remote=tuple(remote), is_first=state.is_first)


def subset_alone(state: State, group: Group, tag: int) -> State | None:
    """Return a communicator of the ranks in `group`; only they call.

    Parameters
    ----------
    state
        The communicator that they are in.
    group
        The ranks.
    tag
        Tells calls that are made at the same time apart.
    """
    members = _members(state, group)
    number = next_call(state.numbered, ("group", check_tag(tag), members))
    return _within(state, members, "group", tag, members, number)


def split(state: State, color: int, key: int) -> State | None:
    """Return a communicator of the ranks that gave the same color.

    Parameters
    ----------
    state
        The communicator; all its ranks call.
    color
        Not negative; `UNDEFINED`: this rank will be in none.
    key
        Ranks are in the order of their keys, then of their old ranks.
    """
    if color < 0 and color != UNDEFINED:
        msg = f"color is {color}, but it must be 0 or more, or UNDEFINED"
        raise MPIError(ERR_ARG, msg)
    call = next(state.calls)
    if state.remote is None:
        choices = objects.allgather(state, (color, key)).run()
        members = _same(state.members, choices, color)
        return _within(state, members, "split", call, color)
    theirs = objects.allgather(state, (color, key)).run()
    # Each group now knows the other's choices, and gives them back to it.
    ours = _first(state, theirs)
    members = _same(state.members, ours, color)
    remote = _same(state.remote, theirs, color)
    if not members or not remote:
        return None
    new = _within(state, members, "split", call, color)
    if new is None:
        return None
    return replace(new, remote=remote, is_first=state.is_first)


def split_by_machine(state: State, key: int, *, takes_part: bool) -> State | None:
    """Return a communicator of the ranks on this machine that take part; see `split`.

    Parameters
    ----------
    state
        The communicator; all its ranks call.
    key
        As for `split`.
    takes_part
        Whether this rank does.
    """
    return split(state, derive(0, _machine()) if takes_part else UNDEFINED, key)


def prescribe(state: State, collective: str, name: str) -> None:
    """Have the communicator use an algorithm, which has to exist."""
    named(collective, name)
    state.algorithms[collective] = name


def arrange(
    state: State, topology: Topology, ranks: int, error: int = ERR_DIMS
) -> State | None:
    """Return a communicator of the first ranks, arranged in a topology.

    Parameters
    ----------
    state
        The communicator; all its ranks call.
    topology
        How the ranks are arranged.
    ranks
        How many there are.
    error
        The error class if there are not as many.
    """
    size = len(state.members)
    if ranks > size:
        msg = f"the topology has {ranks} ranks, but the communicator only {size}"
        raise MPIError(error, msg)
    call = next(state.calls)
    new = _within(state, state.members[:ranks], "topology", call)
    return None if new is None else replace(new, topology=topology)


def connect(
    state: State, local_leader: int, peer: State | None, remote_leader: int, tag: int
) -> State:
    """Return an intercommunicator of this group and another one.

    Parameters
    ----------
    state
        The local group; all its ranks call.
    local_leader
        Who speaks for it.
    peer
        A communicator of both leaders; only looked at by them.
    remote_leader
        The rank of the other leader in `peer`.
    tag
        Tells calls that are made at the same time apart.
    """
    leader = check_rank("local_leader", local_leader, len(state.members))
    check_tag(tag)
    here = state.context, next(state.calls), state.members
    there: Any = None
    if state.rank == leader:
        if peer is None:
            msg = "peer_comm is null, but the local leader has to reach the other one"
            raise MPIError(ERR_COMM, msg)
        there = _ask(peer, remote_leader, tag, here)
    there = objects.bcast(state, there, leader).run()
    remote = tuple(there[2])
    if set(remote) & set(state.members):
        msg = "the groups of an intercommunicator have a rank in common"
        raise MPIError(ERR_COMM, msg)
    pair = sorted([here, (there[0], there[1], remote)])
    context = derive(WORLD_CONTEXT, "connect", *pair)
    return State(
        state.endpoint,
        context,
        state.members,
        state.rank,
        remote=remote,
        is_first=state.members < remote,
        algorithms=dict(state.algorithms),
    )


def merge(state: State, *, high: bool) -> State:
    """Return a communicator of both groups of an intercommunicator.

    Parameters
    ----------
    state
        The intercommunicator; all its ranks call.
    high
        Whether this group comes last; the same on all its ranks.
    """
    call = next(state.calls)
    other_high = _first(state, bool(high))
    is_first = state.is_first if other_high == bool(high) else not high
    remote = state.remote or ()
    members = state.members + remote if is_first else remote + state.members
    context = derive(state.context, "merge", call)
    rank = members.index(state.endpoint.rank)
    algorithms = dict(state.algorithms)
    return State(state.endpoint, context, members, rank, algorithms=algorithms)


def _within(
    state: State, members: tuple[int, ...], *distinctions: object
) -> State | None:
    """Return the communicator of some ranks of the job, if this one is among them."""
    if state.endpoint.rank not in members:
        return None
    return State(
        state.endpoint,
        derive(state.context, *distinctions),
        members,
        members.index(state.endpoint.rank),
        errhandler=state.errhandler,
        algorithms=dict(state.algorithms),
    )


def _first(state: State, obj: Any) -> Any:
    """Return what the first rank of the other group gives."""
    return objects.allreduce(state, obj, lambda first, _: first).run()


def _members(state: State, group: Group) -> tuple[int, ...]:
    """Return the ranks of the job in a group, which has to be part of the old one."""
    members = group.members
    strangers = set(members) - set(state.members)
    if strangers:
        msg = f"the group has ranks that the communicator has not: {len(strangers)}"
        raise MPIError(ERR_GROUP, msg)
    return members


def _same(
    members: Sequence[int] | None, choices: Sequence[tuple[int, int]], color: int
) -> tuple[int, ...]:
    """Return the ranks of the job that chose this color, in the order of their keys."""
    if color == UNDEFINED:
        return ()
    chosen = [
        (key, place, rank)
        for place, (rank, (theirs, key)) in enumerate(
            zip(members or (), choices, strict=True)
        )
        if theirs == color
    ]
    return tuple(rank for _, _, rank in sorted(chosen))


def _machine() -> str:
    """Return what names this machine: its name, and when it was started."""
    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    return platform.node() + boot


def _ask(peer: State, remote_leader: int, tag: int, here: object) -> Any:
    """Tell the other leader about this group; return what it tells about its own."""
    other = check_rank("remote_leader", remote_leader, len(peer.peers))
    context, number = peer.context + 1, _LEADERS + tag
    endpoint, dest = peer.endpoint, peer.peers[other]
    body = serializer.encode(here)
    endpoint.post([Message(endpoint.rank, (dest,), context, number, body)])
    receive = Receive(context, dest, number)
    endpoint.expect((receive,))
    there, _ = finish(Reception(peer, receive, take_object))
    return there
