"""Everything that talks to S3, Glue and Athena, through boto3 clients that the caller passes in."""
