-- Distinct offsets of each Kafka partition: as many as rows, or a record is there twice
SELECT
  kafka_partition,
  COUNT(*) AS "rows",
  COUNT(DISTINCT (kafka_partition, kafka_offset)) AS distinct_offsets,
  MIN(kafka_offset) AS first_offset,
  MAX(kafka_offset) AS last_offset
FROM {table}
WHERE dt = ? AND hr = ? AND {sealed}
GROUP BY kafka_partition
ORDER BY kafka_partition
