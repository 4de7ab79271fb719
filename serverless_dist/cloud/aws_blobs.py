"""S3 as `Blobs`."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from serverless_dist.cloud.attempts import (
    Fault,
    Refusal,
    Service,
    call,
    is_busy,
    send_all,
    side_by_side,
)
from serverless_dist.cloud.checks import check_key, check_range
from serverless_dist.cloud.limits import S3_MAX_DELETE
from serverless_dist.cloud.services import Buffer


class S3Blobs:
    """A bucket of S3, or the part of it below a prefix.

    Parameters
    ----------
    service
        The client of S3.
    bucket
        The bucket's name.
    pool
        Where several batches of deletes go out side by side.
    prefix
        What every key begins with in the bucket; callers do not see it.
    """

    def __init__(
        self, service: Service, bucket: str, pool: Executor, prefix: str = ""
    ) -> None:
        self._service = service
        self._bucket = bucket
        self._pool = pool
        self._prefix = prefix

    def __repr__(self) -> str:
        place = f"{self._bucket}/{self._prefix}" if self._prefix else self._bucket
        return f"<S3Blobs {place}>"

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        """Store `data`; with `if_absent` return False if the key was there."""
        check_key(key)
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        # The SDK takes no memoryview.
        body = bytes(data) if isinstance(data, memoryview) else data
        try:
            self._call("put_object", key, Body=body, **condition)
        except Refusal as refusal:
            if refusal.code != "PreconditionFailed":
                raise
            # An earlier attempt, whose answer was lost, may be what stored it.
            return refusal.attempts > 1 and self.get(key) == body
        return True

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        """Replace the blob if it still holds `old`; return whether it was replaced.

        One request if `old` is None; else a get, and a put if the contents are equal.
        """
        if old is None:
            return self.put(key, new, if_absent=True)
        check_key(key)
        expected, body = bytes(old), bytes(new)
        try:
            found = self._call("get_object", key)
            if found["Body"] != expected:
                return False
            self._call("put_object", key, Body=body, IfMatch=found["ETag"])
        except Refusal as refusal:
            if refusal.code == "NoSuchKey":  # deleted, before the get or after it
                return False
            if refusal.code != "PreconditionFailed":
                raise
            # An earlier attempt, whose answer was lost, may be what replaced it.
            return refusal.attempts > 1 and self.get(key) == body
        return True

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        """Return the bytes from `start` up to `stop`, or None if there is no such key.

        A range past the end is cut short, as a slice is.
        """
        check_key(key)
        check_range(start, stop)
        empty = stop is not None and stop <= start
        if empty:
            # S3 has no empty range: one byte tells whether the key is there.
            span = {"Range": "bytes=0-0"}
        elif stop is not None:
            span = {"Range": f"bytes={start}-{stop - 1}"}
        else:
            span = {"Range": f"bytes={start}-"} if start else {}
        try:
            answer = self._call("get_object", key, **span)
        except Refusal as refusal:
            if refusal.code == "NoSuchKey":
                return None
            if refusal.code == "InvalidRange":
                return b""
            raise
        body: bytes = answer["Body"]
        return b"" if empty else body

    def list(self, prefix: str) -> Sequence[str]:
        """Return all keys that begin with `prefix`, sorted."""
        keys: list[str] = []
        more: dict[str, str] = {}
        while True:
            answer = call(
                self._service,
                "list_objects_v2",
                f"bucket {self._bucket}",
                Bucket=self._bucket,
                Prefix=self._prefix + prefix,
                **more,
            )
            found = answer.get("Contents", ())
            keys += [entry["Key"].removeprefix(self._prefix) for entry in found]
            if not answer["IsTruncated"]:
                return sorted(keys)
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys; one that is not there is no error."""
        side_by_side(
            self._pool,
            [
                partial(self._delete, keys[start : start + S3_MAX_DELETE])
                for start in range(0, len(keys), S3_MAX_DELETE)
            ],
        )

    def _call(self, operation: str, key: str, **arguments: object) -> dict[str, Any]:
        path = self._prefix + key
        return call(
            self._service,
            operation,
            f"object {path} of bucket {self._bucket}",
            Bucket=self._bucket,
            Key=path,
            **arguments,
        )

    def _delete(self, keys: Sequence[str]) -> None:
        resource = f"bucket {self._bucket}"

        def send(pending: Mapping[int, str]) -> list[Fault]:
            indices = {self._prefix + key: index for index, key in pending.items()}
            answer = self._service.request(
                "delete_objects",
                resource,
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": key} for key in indices], "Quiet": True},
            )
            return [
                Fault(
                    index=indices[error["Key"]],
                    code=error["Code"],
                    message=f"{error.get('Message', '')} (key {error['Key']})",
                    retryable=is_busy(error["Code"]),
                )
                for error in answer.get("Errors", ())
            ]

        # The same key twice would be one key of the request, and of its answer.
        send_all(
            self._service,
            list(dict.fromkeys(keys)),
            send,
            operation="delete_objects",
            resource=resource,
        )
