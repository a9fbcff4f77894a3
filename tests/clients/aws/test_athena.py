import pytest

from tests.support.catalogued import TABLE, Catalogued
from tests.support.landed import land
from ticklake.clients.aws.athena import Athena, Question
from ticklake.core.errors import LakeError


@pytest.fixture
def ticks(catalogued: Catalogued) -> Catalogued:
    land(catalogued.lake, TABLE, "2026-11-22T10:00", {0: (0, 1500)})
    catalogued.crawl()
    return catalogued


def test_answers_come_back_in_python_types(ticks):
    sql = """SELECT count(*) AS n, CAST(1.5 AS DOUBLE) AS x, true AS yes, CAST(NULL AS VARCHAR) AS nothing, 'text' AS word,
             min(kafka_offset) AS first FROM ticks"""
    answer = ticks.athena.ask({"q": Question(sql)})["q"]
    assert answer.columns == ("n", "x", "yes", "nothing", "word", "first")
    assert answer.rows == ((1500, 1.5, True, None, "text", 0),)


def test_rows_beyond_the_first_page_are_there(ticks):
    answer = ticks.athena.ask({"q": Question("SELECT kafka_offset FROM ticks ORDER BY 1")})["q"]
    assert [row[0] for row in answer.rows] == list(range(1500))


def test_parameters_keep_their_type_and_their_quotes(ticks):
    sql = "SELECT count(*) AS n FROM ticks WHERE kafka_offset < ? AND 'it''s' = ? AND hr = ?"
    assert ticks.athena.ask({"q": Question(sql, (7, "it's", "10"))})["q"].rows == ((7,),)


def test_the_bytes_that_were_read_are_told(ticks):
    answer = ticks.athena.ask({"q": Question("SELECT max(kafka_offset) AS n FROM ticks")})["q"]
    assert answer.scanned_bytes > 0


def test_each_question_gets_its_own_answer(ticks):
    questions = {str(n): Question("SELECT count(*) AS n FROM ticks WHERE kafka_offset < ?", (n,)) for n in range(6)}
    assert {name: a.rows for name, a in ticks.athena.ask(questions).items()} == {str(n): ((n,),) for n in range(6)}


def test_a_failed_query_is_told_with_reason_and_sql(ticks):
    with pytest.raises(LakeError, match=r"'q'.*nowhere[^$]*SELECT \* FROM nowhere"):
        ticks.athena.ask({"q": Question("SELECT * FROM nowhere")})


def test_a_refused_query_is_told_with_its_sql(ticks):
    with pytest.raises(LakeError, match=r"did not answer 'q'[^$]*SELEC 1"):
        ticks.athena.ask({"q": Question("SELEC 1")})


def test_a_query_without_an_end_is_given_up_and_stopped(ticks):
    stopped = []

    class Slow:
        def start_query_execution(self, **_):
            return {"QueryExecutionId": "id"}

        def get_query_execution(self, **_):
            return {"QueryExecution": {"Status": {"State": "RUNNING"}}}

        def stop_query_execution(self, **asked):
            stopped.append(asked["QueryExecutionId"])

    with pytest.raises(LakeError, match="no answer within 0 s"):
        Athena(Slow(), "db", "wg", "s3://b/", patience=0).ask({"a": Question("SELECT 1"), "b": Question("SELECT 2")})
    assert stopped == ["id", "id"]
