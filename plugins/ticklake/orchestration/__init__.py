"""What ties the stages to Airflow: operators, assets, the minute of a run. The only package that imports airflow."""
