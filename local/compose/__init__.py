"""What `docker-compose.airflow.yml` needs beside its images: its settings, and the provisioning of the AWS stand-in."""
