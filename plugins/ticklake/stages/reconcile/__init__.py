"""Reconcile: Kafka, manifests, objects and Athena of closed hours compared, and repaired where that is safe."""
