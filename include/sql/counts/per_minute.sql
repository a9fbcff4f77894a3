-- Rows of each minute, by the time at which Kafka took them
SELECT date_trunc('minute', from_unixtime(kafka_timestamp / 1000)) AS "minute", COUNT(*) AS "rows"
FROM {table}
WHERE dt = ? AND hr = ? AND {sealed}
GROUP BY 1
ORDER BY 1
