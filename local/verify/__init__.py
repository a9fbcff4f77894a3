"""The verifier: Kafka and S3 compared offset by offset, by code that landing does not share.

It reads the topic with a consumer of its own, manifests and objects with boto3, gzip and json. Of the pipeline it takes only
the names: minutes and object keys. ``compare.verify`` is the whole of it; ``command`` is `./ticklake verify`.
"""
