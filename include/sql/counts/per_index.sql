-- Rows of each index; one index lies in one Kafka partition, its key decides which
SELECT "index", COUNT(*) AS "rows", COUNT(DISTINCT kafka_partition) AS kafka_partitions
FROM {table}
WHERE dt = ? AND hr = ? AND {sealed}
GROUP BY "index"
ORDER BY "rows" DESC, "index"
