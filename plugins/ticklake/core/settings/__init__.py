"""What users set: environment, stream file, connections, AWS names. A wrong value is an error, never a default."""
