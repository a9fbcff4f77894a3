-- Rows of the hour
SELECT COUNT(*) AS "rows"
FROM {table}
WHERE dt = ? AND hr = ? AND {sealed}
