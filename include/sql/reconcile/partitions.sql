-- Rows and distinct offsets of each Kafka partition in the hour
SELECT kafka_partition, COUNT(*) AS "rows", COUNT(DISTINCT (kafka_partition, kafka_offset)) AS distinct_offsets
FROM {table}
WHERE dt = ? AND hr = ?
GROUP BY kafka_partition
ORDER BY kafka_partition
