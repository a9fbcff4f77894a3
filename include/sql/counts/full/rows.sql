-- All rows of the table, minutes not yet sealed included; reads every object there is, so only on request
SELECT COUNT(*) AS "rows", COUNT(DISTINCT (kafka_partition, kafka_offset)) AS distinct_offsets
FROM {table}
