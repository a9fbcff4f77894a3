-- Functions of Athena (Trino) whose namesake in DuckDB answers differently. For each family of arguments there is one
-- macro, and one without a family's name that lets DuckDB choose by type. What would come out different here ends in an
-- error that says so.

CREATE MACRO not_here(what) AS error(concat('not emulated by the local stand-in: ', what));

CREATE MACRO trino_div_integer(a, b) AS a // b;
CREATE MACRO trino_div_double(a, b) AS CAST(a AS DOUBLE) / b;
CREATE MACRO trino_div_decimal(a, b) AS
    not_here('division of decimals, whose scale is Trino''s own; write 1000e0 for 1000.0, or cast to double');
CREATE MACRO trino_div
    (a BIGINT, b BIGINT) AS trino_div_integer(a, b),
    (a HUGEINT, b HUGEINT) AS trino_div_integer(a, b),
    (a DOUBLE, b DOUBLE) AS trino_div_double(a, b),
    (a DECIMAL(38, 9), b DECIMAL(38, 9)) AS trino_div_decimal(a, b);

CREATE MACRO trino_round_integer(x) AS round(x), (x, n) AS round(x, n);
CREATE MACRO trino_round_double(x) AS round(x), (x, n) AS round(x, n);
CREATE MACRO trino_round_decimal
    (x) AS not_here('round of a decimal; cast it to double'),
    (x, n) AS not_here('round of a decimal; cast it to double');
CREATE MACRO trino_round
    (x BIGINT) AS trino_round_integer(x),
    (x DOUBLE) AS trino_round_double(x),
    (x DECIMAL(38, 9)) AS trino_round_decimal(x),
    (x BIGINT, n INTEGER) AS trino_round_integer(x, n),
    (x DOUBLE, n INTEGER) AS trino_round_double(x, n),
    (x DECIMAL(38, 9), n INTEGER) AS trino_round_decimal(x, n);

-- Halves are rounded away from zero, texts must be whole numbers.
CREATE MACRO trino_to_bigint_boolean(x) AS CAST(x AS BIGINT);
CREATE MACRO trino_to_bigint_integer(x) AS CAST(x AS BIGINT);
CREATE MACRO trino_to_bigint_double(x) AS CAST(round(x) AS BIGINT);
CREATE MACRO trino_to_bigint_decimal(x) AS CAST(round(x) AS BIGINT);
CREATE MACRO trino_to_bigint_text(x) AS
    CASE WHEN x IS NULL OR regexp_full_match(x, '[+-]?[0-9]+') THEN CAST(x AS BIGINT)
    ELSE error(concat('INVALID_CAST_ARGUMENT: Cannot cast ''', x, ''' to BIGINT')) END;
CREATE MACRO trino_to_bigint
    (x BOOLEAN) AS trino_to_bigint_boolean(x),
    (x BIGINT) AS trino_to_bigint_integer(x),
    (x HUGEINT) AS trino_to_bigint_integer(x),
    (x DOUBLE) AS trino_to_bigint_double(x),
    (x DECIMAL(38, 9)) AS trino_to_bigint_decimal(x),
    (x VARCHAR) AS trino_to_bigint_text(x);

CREATE MACRO trino_try_to_bigint_boolean(x) AS CAST(x AS BIGINT);
CREATE MACRO trino_try_to_bigint_integer(x) AS TRY_CAST(x AS BIGINT);
CREATE MACRO trino_try_to_bigint_double(x) AS TRY_CAST(round(x) AS BIGINT);
CREATE MACRO trino_try_to_bigint_decimal(x) AS TRY_CAST(round(x) AS BIGINT);
CREATE MACRO trino_try_to_bigint_text(x) AS
    CASE WHEN regexp_full_match(x, '[+-]?[0-9]+') THEN TRY_CAST(x AS BIGINT) END;
CREATE MACRO trino_try_to_bigint
    (x BOOLEAN) AS trino_try_to_bigint_boolean(x),
    (x BIGINT) AS trino_try_to_bigint_integer(x),
    (x HUGEINT) AS trino_try_to_bigint_integer(x),
    (x DOUBLE) AS trino_try_to_bigint_double(x),
    (x DECIMAL(38, 9)) AS trino_try_to_bigint_decimal(x),
    (x VARCHAR) AS trino_try_to_bigint_text(x);

CREATE MACRO trino_to_varchar_boolean(x) AS CAST(x AS VARCHAR);
CREATE MACRO trino_to_varchar_integer(x) AS CAST(x AS VARCHAR);
CREATE MACRO trino_to_varchar_text(x) AS CAST(x AS VARCHAR);
CREATE MACRO trino_to_varchar_date(x) AS CAST(x AS VARCHAR);
CREATE MACRO trino_to_varchar_timestamp(x) AS strftime(x, '%Y-%m-%d %H:%M:%S.%g');
CREATE MACRO trino_to_varchar_timestamptz(x) AS strftime(timezone('UTC', x), '%Y-%m-%d %H:%M:%S.%g') || ' UTC';
CREATE MACRO trino_to_varchar_decimal(x) AS not_here('cast of a decimal to varchar; cast it to double first');
CREATE MACRO trino_to_varchar_double(x) AS
    CASE WHEN x IS NULL OR x = 0 OR (abs(x) >= 1e-3 AND abs(x) < 1e7) THEN CAST(x AS VARCHAR)
    ELSE not_here(concat(x, ' as varchar, which Trino writes with an exponent')) END;
CREATE MACRO trino_to_varchar
    (x BOOLEAN) AS trino_to_varchar_boolean(x),
    (x BIGINT) AS trino_to_varchar_integer(x),
    (x HUGEINT) AS trino_to_varchar_integer(x),
    (x VARCHAR) AS trino_to_varchar_text(x),
    (x DATE) AS trino_to_varchar_date(x),
    (x TIMESTAMP) AS trino_to_varchar_timestamp(x),
    (x TIMESTAMPTZ) AS trino_to_varchar_timestamptz(x),
    (x DECIMAL(38, 9)) AS trino_to_varchar_decimal(x),
    (x DOUBLE) AS trino_to_varchar_double(x);

-- Of a date they give a date.
CREATE MACRO trino_date_trunc_date(x, unit) AS CAST(date_trunc(unit, x) AS DATE);
CREATE MACRO trino_date_trunc_timestamp(x, unit) AS date_trunc(unit, x);
-- The session's zone is UTC; without zones it is ten times as fast.
CREATE MACRO trino_date_trunc_timestamptz(x, unit) AS
    make_timestamptz(epoch_us(date_trunc(unit, make_timestamp(epoch_us(x)))));
CREATE MACRO trino_date_trunc
    (x DATE, unit VARCHAR) AS trino_date_trunc_date(x, unit),
    (x TIMESTAMP, unit VARCHAR) AS trino_date_trunc_timestamp(x, unit),
    (x TIMESTAMPTZ, unit VARCHAR) AS trino_date_trunc_timestamptz(x, unit);

CREATE MACRO trino_date_add_date(x, i) AS CAST(x + i AS DATE);
CREATE MACRO trino_date_add_timestamp(x, i) AS x + i;
CREATE MACRO trino_date_add_timestamptz(x, i) AS x + i;
CREATE MACRO trino_date_add
    (x DATE, i INTERVAL) AS trino_date_add_date(x, i),
    (x TIMESTAMP, i INTERVAL) AS trino_date_add_timestamp(x, i),
    (x TIMESTAMPTZ, i INTERVAL) AS trino_date_add_timestamptz(x, i);

CREATE MACRO trino_date_sub_date(x, i) AS CAST(x - i AS DATE);
CREATE MACRO trino_date_sub_timestamp(x, i) AS x - i;
CREATE MACRO trino_date_sub_timestamptz(x, i) AS x - i;
CREATE MACRO trino_date_sub
    (x DATE, i INTERVAL) AS trino_date_sub_date(x, i),
    (x TIMESTAMP, i INTERVAL) AS trino_date_sub_timestamp(x, i),
    (x TIMESTAMPTZ, i INTERVAL) AS trino_date_sub_timestamptz(x, i);

CREATE MACRO trino_from_unixtime(x) AS to_timestamp(round(CAST(x AS DOUBLE) * 1000) / 1000);

-- Values of a JSON line as the columns that the catalog declares. A value that does not fit fails the query.
-- Nearly all are plain numbers, which their text tells: the rest is asked of each value again, which takes longer.

CREATE MACRO json_bad(j, kind) AS
    error(concat('HIVE_BAD_DATA: Error parsing a column: the value ', j, ' is no ', kind));

CREATE MACRO json_integer(j) AS CASE
    WHEN regexp_full_match(CAST(j AS VARCHAR), '-?[0-9]+') THEN CAST(CAST(j AS VARCHAR) AS BIGINT)
    WHEN j IS NULL OR json_type(j) = 'NULL' THEN NULL
    WHEN json_type(j) IN ('BIGINT', 'UBIGINT') OR regexp_full_match(j ->> '$', '[+-]?[0-9]+') THEN CAST(j ->> '$' AS BIGINT)
    ELSE json_bad(j, 'bigint') END;

CREATE MACRO json_within(n, least, most, kind) AS
    CASE WHEN n IS NULL OR n BETWEEN least AND most THEN n ELSE json_bad(n, kind) END;

CREATE MACRO json_double(j) AS CASE
    WHEN ascii(CAST(j AS VARCHAR)) BETWEEN 45 AND 57 THEN CAST(CAST(j AS VARCHAR) AS DOUBLE) -- a digit or a minus sign
    WHEN j IS NULL OR json_type(j) = 'NULL' THEN NULL
    WHEN json_type(j) IN ('BIGINT', 'UBIGINT', 'DOUBLE', 'VARCHAR') THEN CAST(j ->> '$' AS DOUBLE)
    ELSE json_bad(j, 'double') END;

CREATE MACRO json_boolean(j) AS CASE
    WHEN j IS NULL OR json_type(j) = 'NULL' THEN NULL
    WHEN lower(j ->> '$') IN ('true', 'false') THEN lower(j ->> '$') = 'true'
    ELSE json_bad(j, 'boolean') END;
