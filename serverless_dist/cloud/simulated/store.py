"""What the object store of the simulated cloud holds: shared by all who use it."""


class Store:
    """Blobs by key, which can be listed by prefix however many there are. No I/O.

    >>> store = Store()
    >>> for key in ("a/1", "a/2", "b/1"):
    ...     store.put(key, b"")
    >>> store.list("a/")
    ['a/1', 'a/2']
    """

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._folders: dict[str, dict[str, None]] = {}  # keys by each of their folders

    def __repr__(self) -> str:
        return f"<Store {len(self._blobs)} blobs>"

    def get(self, key: str) -> bytes | None:
        """Return the blob, if it is there."""
        return self._blobs.get(key)

    def put(self, key: str, data: bytes) -> None:
        """Store the blob."""
        if key not in self._blobs:
            for folder in _folders(key):
                self._folders.setdefault(folder, {})[key] = None
        self._blobs[key] = data

    def delete(self, key: str) -> None:
        """Remove the blob, if it is there."""
        if self._blobs.pop(key, None) is None:
            return
        for folder in _folders(key):
            keys = self._folders[folder]
            del keys[key]
            if not keys:
                del self._folders[folder]

    def list(self, prefix: str) -> list[str]:
        """Return all keys that begin with `prefix`, sorted."""
        folder = prefix[: prefix.rfind("/") + 1]
        keys = self._folders.get(folder, {}) if folder else self._blobs
        if folder == prefix:
            return sorted(keys)
        return sorted(key for key in keys if key.startswith(prefix))


def _folders(key: str) -> list[str]:
    """Return all that a key lies in.

    >>> _folders("a/b/c")
    ['a/', 'a/b/']
    """
    parts = key.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) + "/" for depth in range(len(parts))]
