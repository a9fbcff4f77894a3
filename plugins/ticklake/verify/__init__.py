"""The independent proof: Kafka, S3 and Athena compared offset by offset, against any connections.

Nothing of `stages/`, `clients/`, `core/formats`, `core/landing` or `core/proof` is imported here: what landed the records does
not prove them. The launcher calls it, the pipeline never does.
"""
