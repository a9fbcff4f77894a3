# Airflow as the pipeline needs it: the official image, with the locked packages in place of its own.
FROM apache/airflow:3.3.2-python3.12

# `sync` makes the environment exactly the lock, so that what runs here is what the tests ran on.
COPY locks/bootstrap.txt locks/docker.txt /tmp/locks/
RUN pip install --no-cache-dir --require-hashes -r /tmp/locks/bootstrap.txt \
 && uv pip sync --no-cache --compile-bytecode --require-hashes --python "$(command -v python)" \
      /tmp/locks/bootstrap.txt /tmp/locks/docker.txt \
 && airflow version

COPY --chown=airflow:root dags/ /opt/airflow/dags/
COPY --chown=airflow:root plugins/ /opt/airflow/plugins/
COPY --chown=airflow:root include/ /opt/airflow/include/
