"""The embedded AWS: ministack, with a Glue crawler that crawls and an Athena that queries registered partitions only.

    python -m local.aws --port 4566 --data DIR

Runs in an environment of its own (`locks/aws.in`), from the project's folder. What is emulated, and what answers with
an error instead: see `docs/aws-stand-in.md`.
"""
