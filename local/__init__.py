"""The embedded stack and the launcher behind `./ticklake`. Nothing in plugins/ or dags/ knows that it exists."""
