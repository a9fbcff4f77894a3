-- Rows of each minute, by the time at which Kafka took them
SELECT
  -- A producer's clock may say anything: no date outside the years 1970 to 9999 is one.
  CASE WHEN kafka_timestamp BETWEEN 0 AND 253402300799999
    THEN date_trunc('minute', from_unixtime(kafka_timestamp / 1000)) END AS "minute",
  COUNT(*) AS "rows"
FROM {table}
WHERE dt = ? AND hr = ? AND {sealed}
GROUP BY 1
ORDER BY 1
