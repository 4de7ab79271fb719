"""AWS's limits: every number with its source, read 2026-11.

"Model" is the service model in botocore 1.44.5 (2026-11-17).
"""

MAX_BATCH = 10  # entries of SendMessageBatch, DeleteMessageBatch, PublishBatch: model
MAX_RECEIVE = 10  # messages of one ReceiveMessage: model
MAX_WAIT = 20.0  # seconds of one long poll, ReceiveMessage.WaitTimeSeconds: model

SQS_MAX_BYTES = 1_048_576  # one message, and one batch in all: model, since 2025-08
SNS_MAX_BYTES = 262_144  # the same for a topic with default attributes: model
BILLING_CHUNK = 65_536  # SQS and SNS bill each 64 KB as a request: sqs/pricing

VISIBILITY_TIMEOUT = 30.0  # seconds, default of CreateQueue: model
MAX_FILTERS = 200  # filter policies of one topic: SNS quotas, General Reference

S3_MAX_DELETE = 1_000  # keys of one DeleteObjects: model
S3_LIST_PAGE = 1_000  # keys of one ListObjectsV2: model

LAMBDA_SYNC_BYTES = 6 * 1_048_576  # payload of a synchronous invoke: Lambda quotas
LAMBDA_ASYNC_BYTES = 1_048_576  # of an asynchronous one: Invoke, model, since 2025-10
LAMBDA_EVENT_AGE = 60  # seconds; the least MaximumEventAgeInSeconds may be: model
LAMBDA_MEMORY_MB = (128, 10_240)  # the least and the most of a function: Lambda quotas
LAMBDA_TIMEOUT = 900.0  # seconds a function may run: Lambda quotas
LAMBDA_PACKAGE_BYTES = 262_144_000  # all files of a function, unzipped: Lambda quotas
LAMBDA_PYTHONS = ("3.12", "3.13", "3.14")  # not deprecated: Lambda runtimes
VCPU_MEMORY_MB = 1_769  # memory that comes with one whole vCPU: Lambda quotas
LAMBDA_CONCURRENCY = 1_000  # functions of an account at a time, by default: the same

LOG_STREAMS = 100  # names in one FilterLogEvents: model
STACK_MAX_RESOURCES = 500  # of one template: CloudFormation quotas
TEMPLATE_MAX_BYTES = 51_200  # in a request; 1 MB in S3: CloudFormation quotas


def vcpu_share(memory_mb: int) -> float:
    """Return how much of one vCPU one thread of a function gets.

    >>> vcpu_share(10_240), round(vcpu_share(1_000), 3)
    (1.0, 0.565)
    """
    return min(1.0, memory_mb / VCPU_MEMORY_MB)
