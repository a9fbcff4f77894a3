"""What ties the stages to Airflow: operators, assets, the key of a run. The only package that imports airflow."""
