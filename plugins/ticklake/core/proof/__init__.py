"""What must hold between Kafka, manifests and objects."""
