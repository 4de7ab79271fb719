"""Remote tasks and MPI-like ranks on serverless functions, queues and objects."""
