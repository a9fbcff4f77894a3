"""One module per stage, named left_to_right like its DAG: plain functions, their dependencies passed in."""
