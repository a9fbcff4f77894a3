-- The newest tick of each index
WITH aged AS (
  SELECT *, row_number() OVER (PARTITION BY "index" ORDER BY kafka_timestamp DESC, kafka_offset DESC) AS age
  FROM {table}
  WHERE dt = ? AND hr = ? AND {sealed}
)
SELECT "index", "date", "close", "adj close", kafka_partition, kafka_offset, from_unixtime(kafka_timestamp / 1000) AS arrived
FROM aged
WHERE age = 1
ORDER BY "index"
