"""What the error codes of AWS mean to this package."""

from collections.abc import Mapping
from typing import Any

from serverless_dist.cloud.attempts import Refusal, is_busy
from serverless_dist.errors import CloudError, CredentialsError, UsageError

RENEW_CREDENTIALS = (
    "sign in with `aws sso login`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
    " AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN)"
)
_BAD_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
DENIED = {
    "403",  # the answer to HEAD has no body to say more
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
}
_MISSING = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NotFound",
    "QueueDoesNotExist",
}


class NotProvisionedError(UsageError):
    """A queue, topic or bucket does not exist."""


def error_of(
    response: Mapping[str, Any], what: str, resource: str
) -> CloudError | UsageError:
    """Return the error that an answer stands for.

    Parameters
    ----------
    response
        The answer as the SDK parsed it.
    what
        Service and operation.
    resource
        What the operation was about.

    Examples
    --------
    >>> print(error_of({"Error": {"Code": "NoSuchBucket"}}, "S3 GetObject", "bucket b"))
    AWS has no bucket b (S3 GetObject): run serverless-dist deploy
    """
    error = response.get("Error", {})
    code = error.get("Code", "unknown")
    if code in _BAD_CREDENTIALS:
        # AWS's text may quote the signed request, so it is not passed on.
        msg = f"{what}: AWS did not take the credentials ({code}): {RENEW_CREDENTIALS}"
        return CredentialsError(msg)
    if code in _MISSING:
        msg = f"AWS has no {resource} ({what}): run serverless-dist deploy"
        return NotProvisionedError(msg)
    verb = "is not allowed" if code in DENIED else "was refused"
    text = error.get("Message", "no reason given")
    meta = response.get("ResponseMetadata", {})
    return Refusal(
        f"{what} on {resource} {verb}: {code}: {text}",
        retryable=is_busy(code, meta.get("HTTPStatusCode", 0)),
        code=code,
        attempts=meta.get("RetryAttempts", 0) + 1,
    )
