"""One module or package per stage, named left_to_right like its DAG: plain functions, their dependencies passed in."""
